/* Accesses of 4 KiB to a disk, at places that look random and are the same each time, past the page cache (O_DIRECT): one
 * after the other, so that what is measured is how long each takes. Prints what it has done and a sum of what it has
 * read. Built by bench/static-program.ts as one static binary. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096 };

static void must(int holds, const char *what) {
	if (holds) return;
	perror(what);
	exit(1);
}

int main(int count, char **words) {
	if (count != 4 || (strcmp(words[1], "read") != 0 && strcmp(words[1], "write") != 0)) {
		fprintf(stderr, "usage: disk-work read|write NUMBER DISK\n");
		return 2;
	}
	int writes = words[1][0] == 'w';
	long number = atol(words[2]);
	int disk = open(words[3], O_RDWR | O_DIRECT);
	must(disk >= 0, words[3]);
	uint64_t blocks = (uint64_t)lseek(disk, 0, SEEK_END) / BLOCK;
	must(blocks > 0, "lseek");
	uint64_t *buffer = NULL;
	must(posix_memalign((void **)&buffer, BLOCK, BLOCK) == 0, "posix_memalign");
	uint64_t state = 1, sum = 0;
	for (long i = 0; i < number; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		off_t at = (off_t)((state >> 33) % blocks * BLOCK);
		if (writes) {
			memset(buffer, (int)(i & 0xff), BLOCK);
			must(pwrite(disk, buffer, BLOCK, at) == BLOCK, "pwrite");
		} else {
			must(pread(disk, buffer, BLOCK, at) == BLOCK, "pread");
			sum += buffer[0] + buffer[BLOCK / 8 - 1];
		}
	}
	if (writes) must(fsync(disk) == 0, "fsync");
	printf("%ld blocks, %016llx\n", number, (unsigned long long)sum);
	return 0;
}
