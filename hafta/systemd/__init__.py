"""What HAFTA knows of systemd: the notify socket, the watchdog's arithmetic, unit files."""
