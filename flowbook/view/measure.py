"""Measure text without a browser, shorten what does not fit, and make hostile text harmless to the eye.

A picture is laid out in Python and read on machines with other fonts, so a width is an upper estimate: the
wider of two common metrics for each character, rounded up. Too much room looks calm, too little is clipped
text. Tables and rules are simple enough to live a second time in the browser; shared vectors hold the two
together.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Face = Literal["regular", "bold", "mono"]

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
UNITS = 32
FIRST, LAST = 0x20, 0x4FF

# Advance widths of U+0020 to U+04FF in 32nds of an em, one character of ALPHABET each: the wider of DejaVu
# Sans (wider than almost every system font) and Liberation Sans (metrics of Arial and Helvetica), rounded up.
_REGULAR = (
    "BDFRLVP9DDGRBCBBLLLLLLLLLLBBRRRIXMMOPMKPPAGMISOQMQOMKOMWMMMDBDRIGKLILKCLL99J9WLKLLEHDLJRJJHLBLR0"
    "00000000000000000000000000000000BDLLLLBIGWGKR0WIGRDDGLLBGDGKWWWKMMMMMMWOMMMMAAAAPOQQQQQRQOOOOMML"
    "KKKKKKWIKKKK9999KLKKKKKRKLLLLJLJMKMKMKOIOIOIOIPLPLMKMKMKMKMKPLPLPLPLPLUNA9A9A9A9A9OIG9MJJI9I9ICI"
    "BIAOLOLOLROLQKQKQKZXOEOEOEMHMHMHMHKDKDKDOLOLOLOLOLOLWRMJMMHMHMHCLOMLMLNNIPRMLKLQKJIPMWCAOJ9JWOLQ"
    "UKVPLLNLHLBDKDKSLPOOOMHMMJHLMJHLAGFAkgbRQFUUQMKA9QKOLOLOLOLOLKMKMKWWPLPLLJQKQKMJ9kgbPLaMOLMKWWQK"
    "MKMKLKLKA9A9QKQKNENEOLOLMHKDLHPLORNKMHMKLKQKQKQKQKKJGRG9WWMNIIKHHKGMOMLKA9PLNEKJKLLLIILNKKRIIPM9"
    "NLLKKLLL9BCDG9NWWWLLLKSOMEEEEEHHKKHBBFBDDLKKJRJKHHJJHHHHQJMNLAMHOHHXYXRKPSNLHHMMDD69AADHC9FBBBAA"
    "CCGGGGGG9GGG9GGGBBAAGGDBGGGGGGBGE6CFCGGGGGaaGGHaaaaGaaaGaaaaaaaa00000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000LJSL99OLaaGIIIBA"
    "aaaaGGNBQSEaQaSRBMMIMMMPQAMMSOLQPMaLKMQMRPAMMILBJMLJKIILKBJJLIIKNLJLKJMJNRBJKJRLKKNRNMRMQKLJJFMM"
    "SLURPMQKMKPKNKKIMLI9QKKKLNSLLNNNMMSKNMAAGZYSNOLPMMMKPMZLOONPSPQPMOKLSMPMZZRTMNZOKKJHNKTILLKLPLKL"
    "LIJJSJMJUVNQJIRKKKKHIH999TTLKLJLURPMVOTQcXQKXRLISTQKPMPMWTVPcXURNIH0000000PMMJKLKHMJKHZTLINKNKNK"
    "SRPMXTZUTNNIKJKJKJMJUQMJMJMLVOVOAZTLKPMPMPMMJTP9MKMKWWLKQKQKZTLIMJOLOLQKQKQKNIKJKJKJMJKHTQMJMJMJ"
)
_BOLD = (
    "CFHRNXSAFFHRDEDCNNNNNNNNNNDDRRRKWPPORMMRRCIPLWRSOSPOMQPaPOOFCFRIGMNJNMENNBBMBYNMNNGKGNLULLJNCNR0"
    "00000000000000000000000000000000CFNNLNCIGWJLR0WIGRFFGOLDGFJLYYYKPPPPPPZOMMMMCCCCRRSSSSSRSQQQQOOO"
    "MMMMMMYJMMMMBBBBMNMMMMMRMNNNNLNLPMPMPMOJOJOJOJRNRNMMMMMMMMMMRNRNRNRNRNWQCBCBCBCBCBQMIBPMMLBLBLGL"
    "ILCRNRNRNWRNSMSMSMcaPGPGPGOKOKOKOKMGMGMGQNQNQNQNQNQNaUOLOOJOJOJENQPNPNOOJRTPNMMSNMIRQYEDPMCJYRNS"
    "SMZUQNPOKMIGNGMRNSRQPOJPPLJNPLJNCMICokgXWMdcYPMCBSMQNQNQNQNQNMPMPMZYRNRNPMSMSMPJBokgRNgQRNPMZYSM"
    "PMPMMMMMCBCBSMSMPGPGQNQNOKMGNKRNRSQMOJPMMMSMSMSMSMOLGSHBZZPOJLMKJQKPQPMMCBSQPGOLMNNNJJNQMMTIIROB"
    "QNLLLNNNIFIINBRYYYNQNMUMQIILGGKKLLKEEKIGGUPMLULONMLLJJJJSLOMNBOIQJJbdbWPUXSPJEMQFF8BBBEJEAHDDDCC"
    "BBGGGGGGAGGGAGGGBBCCGGEBGGGGGGCGE8DEBGGGGGaaGGMaaaaGaaaGaaaaaaaa00000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000NJXRAARNaaGJIIDC"
    "aaaaFGQDSXJaTaWTDPPLPMORSCPPWRLSROaMMOSPSSCOMINDMMNMMIJNMDNLOMJMQNJPLMQLQSDMMMSPLMOWOQSOSMOJMGNM"
    "ULZRRNUOOLQMPNMJONJBSLLONOWONNONMMTLOOCCIbbTRRPRPPPLTMeNRRRRWRSROOMPWPUQehVYPOcPMNLHQMWJNNMORNMN"
    "NJJLWLOMYaPTLJWLMMNHJKBBBWVOMNLNZSROXRWRiaSMeXNIZYSMSNSNbYZSjcZSOJL0000000VQPKONLHMIQMeWNJPMRMRM"
    "XRVQaSfXVSOJMJOLOLPLaXQMQMQNXQXQCeWPLVQRNVQQMaUBPMPMZYMMSMSMeWNJPLRNRNSMSMSMOJPLPLPLQMLHYTMIPLPL"
)
WIDTHS: dict[Face, str] = {"regular": _REGULAR, "bold": _BOLD}

MONO = 0.62
"""One advance for all characters of a fixed-width face: Menlo and DejaVu have 0.60, SF Mono 0.62."""

OTHER: tuple[tuple[int, int, float], ...] = (
    (0x2000, 0x2BFF, 1.0),
    (0xFDF0, 0xFDFF, 13.0),
    (0x12000, 0x1254F, 4.0),
    (0x1F000, 0x1FAFF, 1.4),
)
"""Code points beyond the tables, in em: signs, word ligatures, cuneiform, emoji. All others take 1.1."""

_REST = 1.1
_ELLIPSIS = "…"


@lru_cache(maxsize=4096)
def _advance(char: str, face: Face) -> float:
    code = ord(char)
    if code > LAST and unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0.0
    if code < FIRST:
        return 0.0
    if code > LAST:
        wide = next((em for first, last, em in OTHER if first <= code <= last), _REST)
        return max(wide, MONO) if face != "mono" else max(wide, 2 * MONO)
    if face == "mono":
        return MONO
    return ALPHABET.index(WIDTHS[face][code - FIRST]) / UNITS


def text_width(text: str, size: float, face: Face = "regular") -> float:
    """Return how wide one line of text is at most, in the unit of `size`.

    Args:
        text: one line.
        size: the font size.
        face: "regular", "bold" or "mono".

    >>> text_width("clean", 10) < text_width("clean", 10, "bold") < text_width("cleaner", 10, "bold")
    True
    """
    return size * sum(_advance(char, face) for char in text)


def elide(
    text: str, room: float, size: float, face: Face = "regular", *, at: Literal["middle", "end"] = "middle"
) -> str:
    """Return `text`, or as much of it as fits into `room` with … in its middle or at its end.

    Args:
        text: one line.
        room: the width it may take.
        size: the font size.
        face: "regular", "bold" or "mono".
        at: where to leave out; the middle keeps the two ends by which long names differ.

    >>> elide("read_flights_of_the_month", 100, 13)
    'read_f…month'
    >>> elide("Failed · no such file", 100, 13, at="end")
    'Failed · no s…'
    """
    widths = [size * _advance(char, face) for char in text]
    if sum(widths) <= room:
        return text
    left = room - size * _advance(_ELLIPSIS, face)
    head = tail = 0
    while head + tail < len(text):
        is_tail = at == "middle" and tail < head
        left -= widths[-1 - tail] if is_tail else widths[head]
        if left < 0:
            break
        head, tail = (head, tail + 1) if is_tail else (head + 1, tail)
    return text[:head].rstrip() + _ELLIPSIS + text[len(text) - tail :].lstrip()


def wrap(text: str, room: float, size: float, face: Face = "regular") -> list[str]:
    """Break `text` into lines no wider than `room`; a word too long for a line is shortened.

    >>> wrap("it would have run with any_successful", 120, 12)
    ['it would have run', 'with', 'any_successful']
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if text_width(longer, size, face) <= room:
            line = longer
            continue
        if line:
            lines.append(line)
        line = elide(word, room, size, face)
    return [*lines, line] if line else lines


# Marks that reorder what a reader sees around them; a name could pretend to be another with them.
_BIDI = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_INVISIBLE = dict.fromkeys([0x00AD, 0x200B, 0x2060, *range(0x2061, 0x2066), 0xFEFF, *range(0xE0000, 0xE0080)])
_CONTROL = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_BROKEN = dict.fromkeys([*range(0x80, 0xA0), *range(0xFFFE, 0x10000), *range(0xFFF9, 0xFFFC)], 0xFFFD)
_TABLE = {**_BIDI, **_INVISIBLE, **_CONTROL, **_BROKEN}
_SPACE = re.compile(r"[\t\n\r\f\v\x85\u2028\u2029]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str, longest: int = 2000) -> str:
    r"""Make one printable line of any text: breaks become spaces, controls their pictures, bidi marks go.

    Args:
        text: anything.
        longest: more characters than this lose their middle.

    >>> clean("two\nlines"), clean("nul\0"), clean("\u202etxt.exe")
    ('two lines', 'nul␀', 'txt.exe')
    """
    if len(text) > longest:
        half = (longest - 1) // 2
        text = text[:half] + _ELLIPSIS + text[-half:]
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATE.sub("\ufffd", _SPACE.sub(" ", text).translate(_TABLE))
