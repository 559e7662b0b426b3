"""What HAFTA knows about systemd: the notify socket and the watchdog's arithmetic."""
