"""The judge: it has the history and the ledgers, and knows nothing of stores.

1. The resource that checks tokens has each number once, in a row, after any undoing.
2. What was acknowledged is never lost: a later owner begins with that number or the next one.
3. Numbers never go back by more than the one that was interrupted, and that one is rolled back before it is done again,
   once for each interruption.
"""


def duplicates(ledger):
    """Return what a ledger has twice at a time, and what it misses."""
    there, wrong = set(), []
    for sign, number, token in ledger:
        if sign == "-":
            there.discard(number)
        elif number in there:
            wrong.append(f"{number} is done twice, the second time with token {token}")
        else:
            there.add(number)
    missing = sorted(set(range(1, max(there, default=0) + 1)) - there)
    return wrong + [f"{number} is missing" for number in missing]


def lost(history):
    """Return what contradicts rules 2 and 3."""
    wrong, undone = [], set()
    newest = token = 0
    for line in _in_turn(history):
        n = line["n"]
        if line["token"] < token and line["what"] != "refused":
            wrong.append(f"token {line['token']} after {token}: {line}")
        token = max(token, line["token"])
        if line["what"] == "undo":
            undone.add(n)
            if n not in {newest, newest + 1}:  # a process may be killed before it could tell what was acknowledged
                wrong.append(f"{n} is undone, but {newest} was acknowledged last")
            newest = n
        elif line["what"] == "acknowledged":
            if n == newest and n not in undone:
                wrong.append(f"{n} begins again, and was not rolled back")
            if n not in {newest, newest + 1}:
                wrong.append(f"{n} follows {newest}")
            newest = n
            undone.discard(n)
    return wrong


def _in_turn(history):
    """Return the history as the store has put it in order: by token. An acknowledgement may be told late."""
    return sorted(history, key=lambda line: (line["token"], line["at"]))


def owners(history):
    """Return how many owners there were."""
    return len({line["token"] for line in history})
