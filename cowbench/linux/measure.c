/*
 * Times what a kernel does to memory, one sample a line of a plan on standard input:
 *
 *     KIND PAGES PINNED
 *
 * and answers each with one line, "NANOSECONDS", or "-ERRNO" when the kernel refused; the first line, unasked, is the
 * kernel's release. As the first program of a guest it talks over /dev/ttyS0. Every sample runs in a process of its
 * own, on one CPU, so that no pin and no page table is left over from the sample before. The timed part runs at
 * real-time priority where the caller may have it: other programs then do not get between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define GIB (1UL << 30) /* the most that one registered buffer may hold */
#define SYS_URING_SETUP 425
#define SYS_URING_REGISTER 427
#define REGISTER_BUFFERS 0
#define UNREGISTER_BUFFERS 1
#define ADVICE_PAGEOUT 21

static long *shared; /* [0] start, [1] end or -errno; written by the process that is timed */

static long now(void)
{
	struct timespec t;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void fail(void)
{
	shared[0] = 0;
	shared[1] = -(long)errno;
	_exit(1);
}

/* A real-time process is not preempted by its equals: a child waits until its parent sleeps. */
static void calm(int on)
{
	struct sched_param priority = { .sched_priority = on ? 1 : 0 };

	sched_setscheduler(0, on ? SCHED_FIFO : SCHED_OTHER, &priority);
}

static void begin(void)
{
	calm(1);
	shared[0] = now();
}

static void end(void)
{
	shared[1] = now();
	calm(0);
}

static volatile char *map(long pages)
{
	char *area = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		fail();
	madvise(area, pages * PAGE, MADV_NOHUGEPAGE);
	return area;
}

static void write_all(volatile char *area, long pages)
{
	for (long i = 0; i < pages; i++)
		area[i * PAGE] = 1;
}

static void read_all(volatile char *area, long pages)
{
	for (long i = 0; i < pages; i++)
		(void)area[i * PAGE];
}

static int ring(void)
{
	unsigned char parameters[120] = { 0 }; /* struct io_uring_params */
	int fd = syscall(SYS_URING_SETUP, 1, parameters);

	if (fd < 0)
		fail();
	return fd;
}

static void pin(int fd, volatile char *area, long pages, struct iovec *buffers)
{
	long count = 0;

	for (unsigned long at = 0; at < pages * PAGE; at += GIB, count++) {
		buffers[count].iov_base = (char *)area + at;
		buffers[count].iov_len = pages * PAGE - at < GIB ? pages * PAGE - at : GIB;
	}
	if (syscall(SYS_URING_REGISTER, fd, REGISTER_BUFFERS, buffers, count))
		fail();
}

static void unpin(int fd)
{
	if (syscall(SYS_URING_REGISTER, fd, UNREGISTER_BUFFERS, NULL, 0))
		fail();
}

static pid_t child_that(int waits)
{
	pid_t child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (child < 0)
		fail();
	if (child == 0) {
		if (waits)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (waits)
			pause();
		_exit(0);
	}
	return child;
}

/* How many pages are in swap and nowhere else; the swap cache counts as memory. */
static long count_gone(volatile char *area, long pages)
{
	static uint64_t entries[512];
	static unsigned char cached[512];
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	long gone = 0;

	for (long at = 0; at < pages; at += 512) {
		long some = pages - at < 512 ? pages - at : 512;

		if (pread(pagemap, entries, some * 8, ((long)area / PAGE + at) * 8) != some * 8)
			fail();
		if (mincore((char *)area + at * PAGE, some * PAGE, cached))
			fail();
		for (long i = 0; i < some; i++)
			gone += (entries[i] >> 62 & 1) && !(cached[i] & 1);
	}
	close(pagemap);
	return gone;
}

/*
 * Puts pages out until they are in swap only: a disk keeps them in the swap cache until they are written, and lets go of
 * them when a clean page is put out again. What the first call took is the sample. Fails with ENODATA if some page stays.
 */
static void put_out(volatile char *area, long pages)
{
	struct timespec moment = { .tv_nsec = 5000000 };

	begin();
	syscall(SYS_madvise, area, pages * PAGE, ADVICE_PAGEOUT);
	end();
	for (int tries = 0; count_gone(area, pages) < pages; tries++) {
		if (tries == 50) {
			errno = ENODATA;
			fail();
		}
		nanosleep(&moment, NULL);
		read_all(area, pages);
		syscall(SYS_madvise, area, pages * PAGE, ADVICE_PAGEOUT);
	}
}

/* The memory of a sample: written once, its first `pinned` pages held. */
struct subject {
	volatile char *area;
	long pages, pinned;
	int ring;
	struct iovec *buffers;
};

static void fork_timed(void)
{
	pid_t child;

	begin();
	child = child_that(0);
	end();
	waitpid(child, NULL, 0);
}

static void time_fork(struct subject *s)
{
	if (s->pinned)
		pin(s->ring, s->area, s->pinned, s->buffers);
	fork_timed();
}

static void time_fork_once_pinned(struct subject *s)
{
	pin(s->ring, s->area, 1, s->buffers);
	unpin(s->ring);
	fork_timed();
}

static void time_reuse(struct subject *s)
{
	waitpid(child_that(0), NULL, 0);
	begin();
	write_all(s->area, s->pages);
	end();
}

static void time_copy(struct subject *s)
{
	pid_t child = child_that(1);

	begin();
	write_all(s->area, s->pages);
	end();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void time_pin(struct subject *s)
{
	begin();
	pin(s->ring, s->area, s->pages, s->buffers);
	end();
}

static void time_unpin(struct subject *s)
{
	pin(s->ring, s->area, s->pages, s->buffers);
	begin();
	unpin(s->ring);
	end();
}

/* Ends when somebody who waits for this process hears of it. */
static void time_exit(struct subject *s)
{
	(void)s;
	begin();
	_exit(0);
}

static void time_page_out(struct subject *s)
{
	put_out(s->area, s->pages);
}

static void time_swap_in(struct subject *s)
{
	put_out(s->area, s->pages);
	begin();
	write_all(s->area, s->pages);
	end();
}

static void time_zero_fill(struct subject *s)
{
	begin();
	write_all(s->area, s->pages);
	end();
}

static void time_read_zero(struct subject *s)
{
	begin();
	read_all(s->area, s->pages);
	end();
}

static const struct kind {
	const char *name;
	void (*time)(struct subject *);
	int fresh, pins;
} kinds[] = {
	{ "fork", time_fork, 0, 1 },
	{ "fork_once_pinned", time_fork_once_pinned, 0, 1 },
	{ "reuse", time_reuse, 0, 0 },
	{ "copy", time_copy, 0, 0 },
	{ "pin", time_pin, 0, 1 },
	{ "unpin", time_unpin, 0, 1 },
	{ "exit", time_exit, 0, 0 },
	{ "page_out", time_page_out, 0, 0 },
	{ "swap_in", time_swap_in, 0, 0 },
	{ "zero_fill", time_zero_fill, 1, 0 },
	{ "read_zero", time_read_zero, 1, 0 },
};

static const struct kind *find(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

static void subject(const struct kind *kind, long pages, long pinned)
{
	struct subject s = { .pages = pages, .pinned = pinned };

	calm(0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	s.area = map(pages);
	if (!kind->fresh)
		write_all(s.area, pages);
	if (kind->pins && (pinned || kind->time != time_fork)) {
		s.ring = ring();
		s.buffers = calloc(pages * PAGE / GIB + 1, sizeof *s.buffers);
	}
	kind->time(&s);
	_exit(0);
}

static long sample(const struct kind *kind, long pages, long pinned)
{
	int status;
	long ended;
	pid_t child;

	shared[0] = shared[1] = 0;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		subject(kind, pages, pinned);
	waitpid(child, &status, 0);
	ended = now();
	if (WIFSIGNALED(status))
		return -ENOMEM; /* nothing here ends a subject but the kernel that lacks memory */
	if (!shared[0])
		return shared[1];
	return (shared[1] ? shared[1] : ended) - shared[0];
}

/* One CPU for all, the last one: the first has the most interrupts. */
static void one_cpu(void)
{
	cpu_set_t all, one;
	int last = 0;

	sched_getaffinity(0, sizeof all, &all);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all))
			last = cpu;
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	sched_setaffinity(0, sizeof one, &one);
}

static void tell_kernel(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0; /* a kernel without this has nothing to turn off */
	close(fd);
}

/* Makes the scratch disk swap space: a header in its first page, version and last page after the first KiB. */
static void swap_on(const char *disk)
{
	static char header[PAGE];
	uint64_t size = 0;
	uint32_t numbers[2] = { 1 };
	int fd = open(disk, O_RDWR);

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size))
		return;
	numbers[1] = size / PAGE - 1;
	memcpy(header + 1024, numbers, sizeof numbers);
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, header, PAGE, 0) == PAGE && !fsync(fd))
		swapon(disk, 0);
	close(fd);
}

/* The first program of a guest: nothing is mounted yet, and the talk is over the first serial port. */
static void be_init(void)
{
	struct termios raw;
	int fd;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	tell_kernel("/sys/kernel/mm/transparent_hugepage/enabled", "never");
	swap_on("/dev/nvme0n1");
	fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
	tcgetattr(fd, &raw);
	cfmakeraw(&raw);
	tcsetattr(fd, TCSANOW, &raw);
	dup2(fd, 0);
	dup2(fd, 1);
}

int main(void)
{
	char name[32];
	long pages, pinned;
	struct utsname system;

	if (getpid() == 1)
		be_init();
	uname(&system);
	printf("%s\n", system.release);
	fflush(stdout);
	one_cpu();
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	calm(1);
	while (scanf("%31s %ld %ld", name, &pages, &pinned) == 3) {
		const struct kind *kind = find(name);

		printf("%ld\n", kind && pages > 0 && pinned <= pages ? sample(kind, pages, pinned) : -(long)EINVAL);
		fflush(stdout);
	}
	return 0;
}
