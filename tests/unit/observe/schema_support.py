"""A small validator: as much of JSON Schema as the shipped schemas use, and no more."""

import json
from pathlib import Path

import hafta

FOLDER = Path(hafta.__file__).parent
TYPES = {
    "object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool,
    "null": type(None),
}  # fmt: skip
KNOWN = {
    "$schema", "title", "description", "type", "properties", "required", "additionalProperties", "items",
    "enum", "const",
}  # fmt: skip


def schema(name, room="observe"):
    """Return a shipped schema."""
    return json.loads((FOLDER / room / f"{name}.schema.json").read_text())


def problems(value, rule, where="$"):
    """Return what of a value is against the schema."""
    assert set(rule) <= KNOWN, f"{where}: the validator does not know {set(rule) - KNOWN}"
    if "const" in rule and value != rule["const"]:
        return [f"{where}: {value!r} is not {rule['const']!r}"]
    if "enum" in rule and value not in rule["enum"]:
        return [f"{where}: {value!r} is none of {rule['enum']}"]
    types = rule.get("type", [])
    types = types if isinstance(types, list) else [types]
    fits = [kind for kind in types if isinstance(value, TYPES[kind]) and (kind == "boolean") == isinstance(value, bool)]
    if types and not fits:
        return [f"{where}: {value!r} is no {' or '.join(types)}"]
    found = []
    if isinstance(value, dict):
        own = rule.get("properties", {})
        found += [f"{where}: {key} is missing" for key in rule.get("required", ()) if key not in value]
        if rule.get("additionalProperties") is False:
            found += [f"{where}: {key} is unknown" for key in value if key not in own]
        for key in own.keys() & value.keys():
            found += problems(value[key], own[key], f"{where}.{key}")
    if isinstance(value, list):
        for at, each in enumerate(value):
            found += problems(each, rule.get("items", {}), f"{where}[{at}]")
    return found
