"""Put messages into the queue: send.py DIRECTORY NUMBER ACCOUNT AMOUNT [NUMBER ACCOUNT AMOUNT]..."""

import os
import sys

from orders import Queue


def send(home, *messages):
    queue = Queue(os.path.join(home, "queue.db"))
    queue.database.execute("BEGIN")
    queue.database.executemany("INSERT INTO messages VALUES (?, ?, ?)", messages)
    queue.database.execute("COMMIT")
    queue.database.close()


if __name__ == "__main__":
    words = sys.argv[2:]
    send(sys.argv[1], *zip(words[::3], words[1::3], words[2::3], strict=True))
