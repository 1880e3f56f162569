"""Writes assignment.csv: golden assignments, from an implementation of its own of the published format.

    python3 assignment.py > assignment.csv

SipHash-2-4 follows Aumasson & Bernstein (2012) and is checked here against the vector of their appendix and against the
first 128-bit vector of their reference code. Each line: campaign UID, placement, seed, subject in hexadecimal,
arms as name=share, and the chosen arm.
"""

import math
import struct

MASK = (1 << 64) - 1


def rotl(x, b):
    return ((x << b) | (x >> (64 - b))) & MASK


def siphash(key, data, wide):
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    if wide:
        v[1] ^= 0xEE

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[2] = (v[2] + v[3]) & MASK
            v[1] = rotl(v[1], 13) ^ v[0]
            v[3] = rotl(v[3], 16) ^ v[2]
            v[0] = rotl(v[0], 32)
            v[2] = (v[2] + v[1]) & MASK
            v[0] = (v[0] + v[3]) & MASK
            v[1] = rotl(v[1], 17) ^ v[2]
            v[3] = rotl(v[3], 21) ^ v[0]
            v[2] = rotl(v[2], 32)

    padded = data + b"\0" * (7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xEE if wide else 0xFF
    rounds(4)
    low = v[0] ^ v[1] ^ v[2] ^ v[3]
    if not wide:
        return low
    v[1] ^= 0xDD
    rounds(4)
    return struct.pack("<QQ", low, v[0] ^ v[1] ^ v[2] ^ v[3])


KEY = bytes(range(16))
assert siphash(KEY, bytes(range(15)), False) == 0xA129CA6149BE45E5
assert siphash(KEY, b"", True).hex() == "a3817f04ba25a8e66df67214c7550293"


def assign(campaign, placement, seed, subject, arms):
    text = b"".join(struct.pack("<Q", len(t)) + t for t in (campaign.encode(), placement.encode()))
    key = siphash(siphash(bytes(16), text + struct.pack("<Q", seed), True), subject, True)
    clocks = []
    for name, share in arms:
        u = ((siphash(key, name.encode(), False) >> 12) + 0.5) / 2.0**52
        clocks.append(-math.log(u) / share if share else math.inf)
    return min(range(len(arms)), key=lambda arm: clocks[arm])


UID = "0b0ba1c6-6f0b-4b8e-8a1c-1d2c5f6b7a89"
SETTINGS = [
    (UID, "hero", 1, [("control", 500_000), ("variant", 500_000)]),
    (UID, "hero", 2, [("control", 500_000), ("variant", 500_000)]),
    (UID, "cart", 1, [("control", 500_000), ("variant", 500_000)]),
    ("c5f0", "Größe 跑", 2**64 - 1, [("a", 200_000), ("b", 1), ("cart-and-hero-hero-5f2c91", 799_999)]),
    ("", "", 0, [("a", 0), ("b", 10_000), ("c", 90_000), ("d", 900_000), ("", 0)]),
]


def main():
    for campaign, placement, seed, arms in SETTINGS:
        for number in range(40):
            subject = bytes((7 * number + 13 * i) % 256 for i in range(number))
            chosen = assign(campaign, placement, seed, subject, arms)
            listed = "|".join(f"{name}={share}" for name, share in arms)
            print(";".join([campaign, placement, str(seed), subject.hex(), listed, str(chosen)]))


main()
