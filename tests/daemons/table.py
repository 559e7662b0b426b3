"""The daemons, as Debian ships them: one line of facts each, the same for every host.

Nothing of a unit is repeated here: whether a killed daemon comes back follows from Restart= of its own unit file.
"""

from __future__ import annotations

from dataclasses import dataclass

from booted.rootfs import Suite

ASK = "/usr/bin/python3 /srv/ask.py"


@dataclass(frozen=True)
class Daemon:
    """A daemon of Debian.

    `ask` is a command that succeeds, with `answer` in what it prints, if the daemon serves. `change` changes its
    configuration, and `changed` succeeds once a reload has applied that; without them the unit has no reload.
    """

    unit: str
    package: str
    processes: str  # what pgrep(1) finds all of its processes by
    ask: str
    answer: str
    change: str = ""
    changed: str = ""
    pid_file: str = ""  # of a daemon whose unit has no main process (GuessMainPID=no)

    @property
    def name(self) -> str:
        """Its name in the tests."""
        return self.package.partition("-")[0]


DAEMONS = (
    Daemon(
        *("nginx.service", "nginx", "^nginx", f"{ASK} http 80", "200 nginx"),
        "echo 'server { listen 8081; return 200 changed; }' > /etc/nginx/conf.d/more.conf",
        f"{ASK} http 8081",
    ),
    Daemon(
        *("apache2.service", "apache2", "^apache2", f"{ASK} http 80", "200 Apache"),
        "echo 'Listen 8082' > /etc/apache2/conf-enabled/more.conf",
        f"{ASK} http 8082",
    ),
    Daemon(
        *("php8.2-fpm.service", "php-fpm", "^php-fpm"),
        *(f"{ASK} fastcgi /run/php/php8.2-fpm.sock /srv/hello.php", "hello from 8.2"),
        "sed 's/^.www.$/[more]/; s/^listen = .*/listen = 127.0.0.1:9001/' /etc/php/8.2/fpm/pool.d/www.conf"
        " > /etc/php/8.2/fpm/pool.d/more.conf",
        f"{ASK} fastcgi 9001 /srv/hello.php",
    ),
    Daemon(
        *("postgresql@15-main.service", "postgresql", "^postgres"),
        *("runuser -u postgres -- psql -Atc \"select 'it is ' || 1\"", "it is 1"),
        "echo \"work_mem = '9MB'\" > /etc/postgresql/15/main/conf.d/more.conf",
        "runuser -u postgres -- psql -Atc 'show work_mem' | grep 9MB",
    ),
    Daemon(
        *("mariadb.service", "mariadb-server", "^mariadbd"),
        *("mariadb --batch --skip-column-names --execute 'select concat(\"it is \", 1)'", "it is 1"),
    ),
    Daemon("redis-server.service", "redis-server", "^redis-server", f"{ASK} redis 6379", "+PONG"),
    Daemon(
        *("postfix@-.service", "postfix", "^(master|qmgr|pickup|smtpd)$", f"{ASK} banner 25", "220 "),
        "echo '2525 inet n - n - - smtpd' >> /etc/postfix/master.cf",
        f"{ASK} banner 2525",
        pid_file="/var/spool/postfix/pid/master.pid",
    ),
    Daemon(
        *("dovecot.service", "dovecot-imapd", "^(dovecot|anvil|imap-login)$"),
        *(f"{ASK} banner 143 '. LOGOUT'", "* OK "),
        r"printf 'service imap-login {\n inet_listener more {\n port = 1143\n }\n}\n'"
        " > /etc/dovecot/conf.d/99-more.conf",
        f"{ASK} banner 1143 '. LOGOUT'",
    ),
    Daemon(
        *("mosquitto.service", "mosquitto", "^mosquitto", f"{ASK} mqtt 1883", "0x20 0"),
        "echo 'log_type debug' > /etc/mosquitto/conf.d/more.conf",
        "grep 'Reloading config' /var/log/mosquitto/mosquitto.log",
    ),
    Daemon(
        *("dnsmasq.service", "dnsmasq", "^dnsmasq", f"{ASK} dns localhost", "127.0.0.1"),
        "echo '192.0.2.7 more.test' >> /etc/hosts",
        f"{ASK} dns more.test | grep 192.0.2.7",
    ),
)

BASE = ("systemd", "systemd-sysv", "dbus", "python3", "procps")
SETUP = (
    # What is enabled would begin with the machine; each test begins what it needs.
    'chroot "$1" sh -c "systemctl disable $(cd "$1/etc/systemd/system/multi-user.target.wants" && echo *.service)"',
    'chroot "$1" useradd --create-home ann',
    'echo ann:secret | chroot "$1" chpasswd',
    'echo "<?php echo \\"hello from \\" . PHP_MAJOR_VERSION . \\".\\" . PHP_MINOR_VERSION;" > "$1/srv/hello.php"',
)
SUITE = Suite("bookworm", 252, "3.11", "daemons", (*BASE, *(daemon.package for daemon in DAEMONS), "php-mysql"), SETUP)
