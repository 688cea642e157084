"""A shuffle that needs no memory: where any one place goes is computed, not looked up.

A Feistel network is a bijection of the numbers of an even number of bits, whatever its round function. Numbers beyond
the wanted range are sent through again until they fall inside, which keeps it a bijection of the range.

Source: Luby and Rackoff 1988, "How to construct pseudorandom permutations from pseudorandom functions"; Black and
Rogaway 2002, "Ciphers with arbitrary finite domains", for the walk.
"""

from cutaway.config import check_integer

ROUNDS = 6
WORD = (1 << 64) - 1


def mix(value: int) -> int:
    """64 bits that look random and depend on every bit of the value.

    Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", SplitMix64.
    """
    value = (value + 0x9E3779B97F4A7C15) & WORD
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & WORD
    return value ^ (value >> 31)


def mix_all(*values: int) -> int:
    """64 bits that look random and depend on all the values and their order."""
    state = 0
    for value in values:
        state = mix(state ^ (value & WORD))
    return state


class Permutation:
    """The numbers from 0 up to, but not including, `n`, in an order that `key` decides.

    Raises: ConfigError when `n` is out of range.
    """

    def __init__(self, n: int, *key: int) -> None:
        check_integer("n", n, 1, 1 << 62)
        self._n = n
        self._half_bits = max(1, ((n - 1).bit_length() + 1) // 2)
        self._round_keys = [mix_all(number, *key) for number in range(ROUNDS)]

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, place: int) -> int:
        if not 0 <= place < self._n:
            raise IndexError(place)
        number = self._shuffle(place)
        while number >= self._n:
            number = self._shuffle(number)
        return number

    def _shuffle(self, number: int) -> int:
        half = (1 << self._half_bits) - 1
        left, right = number >> self._half_bits, number & half
        for key in self._round_keys:
            left, right = right, left ^ (mix(right ^ key) & half)
        return left << self._half_bits | right
