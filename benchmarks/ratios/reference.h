/* The state of the C machine (reference.c): columns, free frames, the LRU batch, counts. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WRITE (1u << 31)
#define PRESENT (1u << 29)
#define NUMBER (PRESENT - 1)
#define LOOK 0x8000u
#define COUNT 0x7fffu
enum { BIAS = 1024, BATCH = 15, PROCESSES = 256, REFERENCES = 256, HUGE_PAGE = 2 << 20 };
enum { SITE_WRITE_FAULT, SITE_FORK, SITE_PIN, SITES };
enum { PIN, GET };

#define COUNTS(X) \
	X(copies_write_fault) X(copies_fork) X(copies_pin) \
	X(false_positives_write_fault) X(false_positives_fork) X(false_positives_pin) \
	X(causes_own_reference) X(causes_lru_batch_local) X(causes_bias_overflow) X(causes_sticky_bit) X(causes_policy) \
	X(reuses) X(lost_pins) X(lost_gets) X(missed_early_copies) X(charged_parent) X(frames_peak) \
	X(faults_zero_fill) X(faults_reuse) X(faults_copy) X(pin_faults_zero_fill) X(pin_faults_reuse) X(pin_faults_copy) \
	X(pinned_pages) X(unpinned_pages) X(zapped) \
	X(forks) X(forks_ptes) X(forks_early_copies) X(forks_allocations) X(forks_lock_drops)
#define AS_ENUM(name) name,
#define AS_TEXT(name) #name " "
enum { COUNTS(AS_ENUM) NCOUNTS };

typedef struct {
	uint32_t *words;
	int64_t size;		/* pages below it may be present */
	uint16_t *leading[2];	/* coherent pins and gets that a page leads to; made on first use */
	int64_t leads[2];	/* their sizes */
	uint16_t *owned;	/* live references of this process on a frame; made on first use */
	int64_t live_pins;
	int has_pinned;
} process;

typedef struct {
	process *owner;
	int64_t count;
	int64_t *pages;
	uint32_t *frames;
	int kind;
} reference;

typedef struct {
	int64_t frames, high, head, queued, used;
	uint16_t *map;
	uint32_t *token, *queue;
	int32_t *extra, *nref;
	uint32_t held[BATCH];
	int holds, spares, nprocesses, nreferences;
	uint32_t *spare[PROCESSES];
	process processes[PROCESSES];
	reference references[REFERENCES];
	int64_t counts[NCOUNTS];
} machine;

/* Touched memory on huge pages. Not from malloc: what that used before stays on small ones. */
static void *column(int64_t bytes)
{
	int64_t size = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	char *mapped = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mapped == MAP_FAILED) {
		perror("reference.c: mmap");
		exit(1);
	}
	int64_t before = -(uintptr_t)mapped % HUGE_PAGE;
	if (before)
		munmap(mapped, before);
	munmap(mapped + before + size, HUGE_PAGE - before);
	madvise(mapped + before, size, MADV_HUGEPAGE);
	return memset(mapped + before, 0, size);
}

static void drop(void *memory, int64_t bytes)
{
	if (memory)
		munmap(memory, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
}

static void lru_drain(machine *m);

static void free_frame(machine *m, uint32_t frame)
{
	int64_t tail = m->head + m->queued++;
	m->queue[tail < m->frames ? tail : tail - m->frames] = frame;
	m->used--;
}

/* Drop one reference besides mappings, or `count` of them. */
static inline void put_extra(machine *m, uint32_t frame, int count)
{
	m->extra[frame] -= count;
	if (m->extra[frame])
		return;
	m->map[frame] &= COUNT;
	if (!m->map[frame])
		free_frame(m, frame);
}

static inline uint32_t allocate(machine *m)
{
	uint32_t frame;
	if (m->high <= m->frames) {
		frame = m->high++;
	} else {
		if (!m->queued--) {
			fputs("reference.c: out of frames\n", stderr);
			exit(1);
		}
		frame = m->queue[m->head];
		if (++m->head == m->frames)
			m->head = 0;
	}
	if (++m->used > m->counts[frames_peak])
		m->counts[frames_peak] = m->used;
	m->map[frame] = 1 | LOOK;
	m->extra[frame]++;
	m->held[m->holds++] = frame;
	if (m->holds == BATCH)
		lru_drain(m);
	return frame;
}

static void lru_drain(machine *m)
{
	int holds = m->holds;
	m->holds = 0;
	for (int i = 0; i < holds; i++)
		put_extra(m, m->held[i], 1);
}

static int batched(const machine *m, uint32_t frame)
{
	for (int i = 0; i < m->holds; i++)
		if (m->held[i] == frame)
			return 1;
	return 0;
}
