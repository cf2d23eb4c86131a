/* Work for an operating system and its processor, one kind a command. Each prints what it has done, so that a run can
 * be checked; all are deterministic. Built by bench/static-program.ts as one static binary, which runs in every guest
 * and on the host. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what) {
	perror(what);
	exit(1);
}

static void must(int holds, const char *what) {
	if (!holds) fail(what);
}

/* getppid(2) does nothing but enter the kernel and leave it. */
static void system_calls(long count) {
	long parent = syscall(SYS_getppid), same = 0;
	for (long i = 0; i < count; i++) same += syscall(SYS_getppid) == parent;
	printf("%ld system calls\n", same);
}

/* Each page of a fresh mapping faults at its first write; the kernel gives it zeroed. */
static void page_faults(long count) {
	enum { PAGES = 4096, PAGE = 4096 };
	long done = 0;
	unsigned char *memory =
		mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(memory != MAP_FAILED, "mmap");
	must(madvise(memory, (size_t)PAGES * PAGE, MADV_NOHUGEPAGE) == 0, "madvise");
	while (done < count) {
		for (long page = 0; page < PAGES && done < count; page++) done += ++memory[page * PAGE];
		must(madvise(memory, (size_t)PAGES * PAGE, MADV_DONTNEED) == 0, "madvise");
	}
	printf("%ld page faults\n", done);
}

/* Two processes and two pipes: every round trip is two switches. */
static void ping_pong(long count) {
	int to[2], from[2];
	long value = 0, answer = 0;
	must(pipe(to) == 0 && pipe(from) == 0, "pipe");
	pid_t child = fork();
	must(child >= 0, "fork");
	if (child == 0) {
		close(to[1]);
		while (read(to[0], &value, sizeof value) == sizeof value) {
			value += 3;
			must(write(from[1], &value, sizeof value) == sizeof value, "write");
		}
		_exit(0);
	}
	for (long i = 0; i < count; i++) {
		must(write(to[1], &value, sizeof value) == sizeof value, "write");
		must(read(from[0], &answer, sizeof answer) == sizeof answer, "read");
		value = answer;
	}
	close(to[1]);
	must(waitpid(child, NULL, 0) == child, "waitpid");
	printf("%ld round trips\n", value / 3);
}

/* One process after the other, each a new image of this program that ends with a status of its own. */
static void spawn(long count, char *self) {
	long sum = 0;
	for (long i = 0; i < count; i++) {
		int status;
		pid_t child = fork();
		must(child >= 0, "fork");
		if (child == 0) {
			char number[16];
			snprintf(number, sizeof number, "%ld", i % 100);
			execl(self, self, "exit", number, (char *)NULL);
			_exit(127);
		}
		must(waitpid(child, &status, 0) == child && WIFEXITED(status), "waitpid");
		sum += WEXITSTATUS(status);
	}
	printf("%ld processes, sum of statuses %ld\n", count, sum);
}

/* Text of that many bytes, about as compressible as prose: words by their rank, seldom ones more seldom. */
static void data(long count) {
	static char buffer[1 << 16];
	uint64_t state = 88172645463325252u;
	for (long written = 0; written < count;) {
		size_t used = 0;
		while (used < sizeof buffer - 32) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			unsigned word = (unsigned)(state % 4096 * (state >> 20 & 4095) / 4096);
			for (unsigned letters = 2 + word % 7, i = 0; i < letters; i++) {
				buffer[used++] = (char)('a' + (word * 7 + i * (word + 11)) % 26);
			}
			buffer[used++] = (state >> 40) % 11 == 0 ? '\n' : ' ';
		}
		if ((long)used > count - written) used = (size_t)(count - written);
		must(fwrite(buffer, 1, used, stdout) == used, "write");
		written += (long)used;
	}
}

/* Writes to each page of that many MiB once, then reads them all some times in an order that no cache expects. */
static void touch(long mebibytes) {
	enum { PAGE = 4096, ROUNDS = 8 };
	uint64_t pages = (uint64_t)mebibytes * 256, at = 0, sum = 0;
	uint64_t *memory =
		mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(memory != MAP_FAILED, "mmap");
	for (uint64_t page = 0; page < pages; page++) memory[page * (PAGE / 8)] = page;
	for (uint64_t i = 0; i < ROUNDS * pages; i++) {
		at = (at + 40503) % pages;
		sum += memory[at * (PAGE / 8)];
	}
	printf("%llu pages, sum %llu\n", (unsigned long long)pages, (unsigned long long)sum);
}

/* Works for ever, a mark for each unit of work. On a translator that is some 20 milliseconds, so that printing, which
 * takes a serial port and two processes, is little beside it. */
static void spin(void) {
	enum { UNIT = 10 * 1000 * 1000 };
	static uint32_t table[4096];
	uint32_t x = 1;
	for (;;) {
		for (long i = 0; i < UNIT; i++) {
			x = x * 1664525 + 1013904223;
			table[x >> 20] += x ^ (x >> 7);
		}
		must(write(1, ".", 1) == 1, "write");
	}
}

int main(int count, char **words) {
	const char *kind = count > 1 ? words[1] : "";
	long number = count > 2 ? atol(words[2]) : 0;
	if (strcmp(kind, "exit") == 0) return (int)number;
	if (strcmp(kind, "syscalls") == 0) system_calls(number);
	else if (strcmp(kind, "faults") == 0) page_faults(number);
	else if (strcmp(kind, "pingpong") == 0) ping_pong(number);
	else if (strcmp(kind, "spawn") == 0) spawn(number, words[0]);
	else if (strcmp(kind, "data") == 0) data(number);
	else if (strcmp(kind, "touch") == 0) touch(number);
	else if (strcmp(kind, "spin") == 0) spin();
	else {
		fprintf(stderr, "usage: os-work syscalls|faults|pingpong|spawn|data|touch NUMBER | spin\n");
		return 2;
	}
	return 0;
}
