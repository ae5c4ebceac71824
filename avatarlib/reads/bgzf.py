"""Blocked gzip, which BAM, tabix and bgzip share: blocks can be made apart and joined by laying them end to end."""

import struct
import zlib

_BLOCK = 65280  # bytes of text in a block, as bgzip takes it
_HEADER = struct.Struct("<4BI2BH2BHH")


def compress(data: memoryview | bytes, level: int) -> bytes:
    """Return `data` as blocks without the end marker; the same input and level give the same bytes.

    Parameters
    ----------
    data
        Any length.
    level
        zlib's, 0 (stored) to 9.

    Examples
    --------
    >>> import gzip
    >>> from avatarlib.genomes.fasta import BGZF_END
    >>> gzip.decompress(compress(b"reads", 1) + BGZF_END)
    b'reads'
    """
    data, blocks = memoryview(data), []
    for start in range(0, len(data), _BLOCK):
        part = data[start : start + _BLOCK]
        packer = zlib.compressobj(level, zlib.DEFLATED, -15)
        packed = packer.compress(part) + packer.flush()
        if len(packed) > 65509:  # text that grows when packed is stored
            packer = zlib.compressobj(0, zlib.DEFLATED, -15)
            packed = packer.compress(part) + packer.flush()
        blocks.append(_HEADER.pack(31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(packed) + 25))
        blocks.append(packed + struct.pack("<II", zlib.crc32(part), len(part)))
    return b"".join(blocks)
