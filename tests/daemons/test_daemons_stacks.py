"""Daemons that work together serve a real request, and do so again after each of them has been killed.

The units are as shipped. What an administrator adds by `systemctl edit` is a drop-in: what is killed is to come back.
"""

from __future__ import annotations

import pytest
from hosts import UNITS
from table import ASK

BACK = "[Service]\nRestart=always\nRestartSec=0\n"
PAGE = """<?php
$database = new mysqli("localhost", "web", "word", "web");
echo "the database says ", $database->query("select text from pages")->fetch_row()[0];
"""
SITE = """server {
    listen 8088;
    root /srv/web;
    location / { include fastcgi.conf; fastcgi_pass unix:/run/php/php8.2-fpm.sock; }
}
"""
DATABASE = """
mariadb --execute "create or replace database web; create or replace user web@localhost identified by 'word';
grant select on web.* to web@localhost; create table web.pages (text text); insert into web.pages values ('come in')"
"""
WEB = ("nginx.service", "php8.2-fpm.service", "mariadb.service")
MAIL = ("postfix@-.service", "dovecot.service")


def drop_ins(units):
    return {f"{UNITS}/{unit}.d/back.conf": BACK for unit in units}


def processes(host, units):
    """Return the process that is each unit: postfix has no main process, but a file that names one."""
    pids = {unit: host.main(unit) for unit in units}
    return {unit: pid or int(host.sh("cat /var/spool/postfix/pid/master.pid")) for unit, pid in pids.items()}


def kill(host, units, victim):
    """Kill one; return the processes of the others, which stay."""
    before = processes(host, units)
    assert min(before.values()) > 1
    host.run("kill", "-KILL", str(before.pop(victim)))
    return before


@pytest.mark.parametrize("victim", WEB)
def test_a_page_comes_from_the_database_again_when_a_part_was_killed(host, victim):
    files = {"/etc/nginx/conf.d/web.conf": SITE, "/srv/web/page.php": PAGE, **drop_ins(WEB)}
    host.start(*WEB, files=files)
    host.sh(DATABASE)
    page = lambda: host.sh(f"{ASK} http 8088 /page.php || :")
    assert "the database says come in" in page()
    others = kill(host, WEB, victim)
    host.wait_until("the page is back", lambda: "the database says come in" in page())
    assert others.items() <= processes(host, WEB).items()
    assert host.finish() == 0


@pytest.mark.parametrize("victim", MAIL)
def test_a_mail_is_sent_and_read_again_when_a_part_was_killed(host, victim):
    host.start(*MAIL, files=drop_ins(MAIL))

    def is_read(subject):
        return subject in host.sh(f"{ASK} read ann secret || :")

    host.sh(f"{ASK} send ann@localhost ann@localhost before")
    host.wait_until("the mail is there", lambda: is_read("before"))
    others = kill(host, MAIL, victim)
    host.wait_until("a mail is taken", lambda: "sent" in host.sh(f"{ASK} send ann@localhost ann@localhost after || :"))
    host.wait_until("both are there", lambda: is_read("before") and is_read("after"))
    assert others.items() <= processes(host, MAIL).items()
    assert host.finish() == 0
