"""What generated values of directives are put together from."""


def pieces(text):
    """Return what stands between the bars."""
    return tuple(text.split("|"))


_QUOTING = ("a", "b c", " ", "  ", "\t", "'", '"', "'x y'", '"x y"', "\\", "\\\\", "\\;", ";", " ; ", " \\; ", '"\\;"')
_ESCAPES = ("\\t", "\\s", "\\n", "\\x41", "\\x4", "\\303\\251", "\\101", "\\400", "\\u00e9", "\\ud800", "\\U0001f600")
_SIGNS = ("%n", "%%", "%z", "%", "%i", "%-", "$A", "${A}", "$$", "=", "é", ":", "/", "\\q", "\\'", '\\"', "#", "\\xff")
TEXT = (*_QUOTING, *_ESCAPES, *_SIGNS)
NUMBERS = pieces("0|1|5|010|08|0x1f|0b1|64|65535|4294967295|4294967296|18446744073709551615|")
SPANS = (*NUMBERS, *pieces(" |.|5.5|.5|s|ms|min|us|µs|h|y|M|m|infinity|-|+|x|hour|w"))
SIZES = (*NUMBERS, " ", ".", "5.5", "K", "M", "G", "E", "B", "T", "infinity", "-", "+", "k", ":")
UNITS = pieces("a|b@|@c|.service|.target|.socket| | x.service |\\x2d|-|_|%i|%n|.|\"|'|é|,")
IDENTITIES = pieces('a|0|00|1|65535|65534|4294967295|-|.|..|:|/| |é|%p|%z|+|"|$|99999999999')
SIGNALS = pieces("SIG|TERM|KILL|RTMIN|RTMAX|+|-|1|0|30|15|64|65|CLD|IOT|IO|POLL|term|x")
STATUSES = (*SIGNALS, " ", " 3 ", "TEMPFAIL", "SUCCESS", "255", "256", '"', "\\", "0x10", "%")
WORDS = pieces("yes|no|1|0|on|ON|T|f|true|always|on-failure|notify|mixed|none|all|| |x|exec")
MODES = ("0", "7", "55", "022", "0755", "8", "1", "o", "-", "+", " ", "x", "")
PATHS = ("/", "a", ".", "..", "/b", "//", "-", "~", " ", "%t", "%z", "%%", "\\", '"', "é", "*", "")
SIGNED = (*NUMBERS[:6], "0b1", "-", "+", " ", "20", "19", "1000", "1001", "7", "")
CAPABILITIES = (
    *("CAP_CHOWN", "cap_kill", "CAP_NET_RAW", "~", " ", "  ", "12", "0x3", '"', "'", "\\", "\t", "CAP_", "40", "-1"),
    "CAP_SYS_ADMIN ",
)
SECURE_BITS = ("keep-caps", "noroot", "noroot-locked", "no-setuid-fixup", " ", " ", "x", '"', "\\")
SCHEDULING = pieces("none|idle|realtime|best-effort|other|batch|fifo|rr|0|1|2|3| ||x")
CPUS = ("0", "1", "3", "7", "0x2", "010", "-", "-", ",", " ", "8191", "8192", "x", '"', "\\", "+", "")
NANOSECONDS = (*SPANS, "ns", "nsec", "us")
GROUPS = (*IDENTITIES, "bin", " ", " ", "adm")
