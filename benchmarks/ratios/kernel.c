/* The other denominator: what this machine's kernel takes, on private anonymous memory in pages of 4 KiB.
 *
 * usage: kernel PAGES. Maps and touches PAGES pages and says "ready"; then, for each line on standard input:
 *   fork       forks a child that exits at once; prints the ns of fork, and those from the child's last instruction to the
 *              return of waitpid (exit)
 *   fault N    writes one byte a page: N pages while a child sleeps (copy), the N after them once it died (reuse); prints
 *              the ns of both */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096 };

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *map(size_t bytes, int how)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("kernel.c: mmap");
		exit(1);
	}
	return memory;
}

static pid_t checked_fork(void)
{
	pid_t child = fork();
	if (child < 0) {
		perror("kernel.c: fork");
		exit(1);
	}
	return child;
}

static void time_fork(volatile int64_t *last)
{
	int64_t start = now();
	pid_t child = checked_fork();
	if (!child) {
		*last = now();
		_exit(0);
	}
	int64_t forked = now() - start;
	waitpid(child, NULL, 0);
	printf("%lld %lld\n", (long long)forked, (long long)(now() - *last));
}

static int64_t time_touch(volatile char *memory, long pages)
{
	int64_t start = now();
	for (long i = 0; i < pages; i++)
		memory[i * PAGE]++;
	return now() - start;
}

static void time_faults(char *memory, long pages)
{
	pid_t child = checked_fork();
	if (!child)
		for (;;)
			pause();
	int64_t copy = time_touch(memory, pages);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	printf("%lld %lld\n", (long long)copy, (long long)time_touch(memory + pages * PAGE, pages));
}

int main(int argc, char **argv)
{
	long pages = argc > 1 ? atol(argv[1]) : 0, count;
	char line[64];
	if (pages <= 0) {
		fputs("usage: kernel PAGES\n", stderr);
		return 2;
	}
	char *memory = map((size_t)pages * PAGE, MAP_PRIVATE);
	int64_t *last = map(PAGE, MAP_SHARED);
	madvise(memory, (size_t)pages * PAGE, MADV_NOHUGEPAGE);
	time_touch(memory, pages);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof line, stdin)) {
		if (!strcmp(line, "fork\n"))
			time_fork(last);
		else if (sscanf(line, "fault %ld", &count) == 1 && count > 0 && 2 * count <= pages)
			time_faults(memory, count);
		else
			return 2;
	}
	return 0;
}
