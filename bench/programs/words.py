"""Counts and sums over generated words: dictionaries, strings, lists and calls, without any library."""


def words(count):
    state = 12345
    for _ in range(count):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield chr(97 + state % 26) * (1 + state // 997 % 4) + str(state % 500)


def main():
    counts = {}
    for word in words(150_000):
        counts[word] = counts.get(word, 0) + 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    checksum = sum(len(word) * count for word, count in ranked[::3])
    print(len(ranked), ranked[0], checksum, sum(x * 0.5 for x in range(100_000)))


main()
