/* The denominator: what the numpy model does with policy has_pinned, one page at a time, on the same columns.
 *
 * A word per page and process (write bit, present bit, frame); per frame a mapcount with a flag for "look further", a token,
 * references besides mappings, live references, and a queue of free frames. Covers what the benchmarks do: populated or absent
 * private pages, no swap, no zero page, one CPU. Built as a shared library and driven from native.py. */
#include "reference.h"

static inline int owns(const process *p, uint32_t frame)
{
	return p->owned ? p->owned[frame] : 0;
}

/* Book a needless copy of a flagged frame, if it is one; nobody else must map it. */
static void book_needless(machine *m, const process *p, uint32_t frame, int site)
{
	if (m->nref[frame] > owns(p, frame))
		return;
	m->counts[false_positives_write_fault + site]++;
	m->counts[owns(p, frame) ? causes_own_reference : batched(m, frame) ? causes_lru_batch_local : causes_policy]++;
}

static void lose(machine *m, process *p, int64_t page)
{
	for (int kind = PIN; kind <= GET; kind++) {
		if (!p->leading[kind])
			continue;
		m->counts[lost_pins + kind] += p->leading[kind][page];
		p->leading[kind][page] = 0;
	}
}

static inline void copy_page(machine *m, process *p, int64_t page, uint32_t old, int site, uint32_t token)
{
	if (m->map[old] & LOOK) {
		if ((m->map[old] & COUNT) == 1)
			book_needless(m, p, old, site);
		lose(m, p, page);
	}
	uint32_t new = allocate(m);
	m->counts[copies_write_fault + site]++;
	m->counts[site == SITE_PIN ? pin_faults_copy : faults_copy]++;
	m->token[new] = token ? token : m->token[old];
	if (!--m->map[old])
		free_frame(m, old);
	p->words[page] = new | PRESENT | WRITE;
}

/* Make a page writable; store `token` unless that is 0 (a pin). */
static inline void write_page(machine *m, process *p, int64_t page, int site, uint32_t token)
{
	uint32_t word = p->words[page], frame = word & NUMBER;
	if (word & WRITE) {
		if (token)
			m->token[frame] = token;
		return;
	}
	if (!word) {
		frame = allocate(m);
		m->counts[site == SITE_PIN ? pin_faults_zero_fill : faults_zero_fill]++;
		m->token[frame] = token;
		p->words[page] = frame | PRESENT | WRITE;
		return;
	}
	if (m->map[frame] != 1) {
		copy_page(m, p, page, frame, site, token);
		return;
	}
	p->words[page] = word | WRITE;
	m->counts[reuses]++;
	m->counts[site == SITE_PIN ? pin_faults_reuse : faults_reuse]++;
	if (token)
		m->token[frame] = token;
}

static inline int64_t at(const int64_t *pages, int64_t first, int64_t i)
{
	return pages ? pages[i] : first + i;
}

static void reach(process *p, int64_t stop)
{
	if (stop <= p->size)
		return;
	memset(p->words + p->size, 0, (stop - p->size) * sizeof *p->words);
	p->size = stop;
}

static process *born(machine *m)
{
	if (m->nprocesses == PROCESSES) {
		fputs("reference.c: too many processes\n", stderr);
		exit(1);
	}
	process *p = &m->processes[m->nprocesses++];
	p->words = m->spares ? m->spare[--m->spares] : column(m->frames * sizeof *p->words);
	return p;
}

const char *names(void) { return COUNTS(AS_TEXT); }

machine *machine_new(int64_t frames)
{
	machine *m = calloc(1, sizeof *m);
	m->frames = frames;
	m->high = 1;
	m->map = column((frames + 1) * sizeof *m->map);
	m->token = column((frames + 1) * sizeof *m->token);
	m->extra = column((frames + 1) * sizeof *m->extra);
	m->nref = column((frames + 1) * sizeof *m->nref);
	m->queue = column(frames * sizeof *m->queue);
	return m;
}

static void forget(machine *m, process *p)
{
	for (int kind = PIN; kind <= GET; kind++) {
		drop(p->leading[kind], p->leads[kind] * sizeof **p->leading);
		p->leading[kind] = NULL;
	}
	if (p->words)
		m->spare[m->spares++] = p->words;
	p->words = NULL;
}

void machine_free(machine *m)
{
	for (int i = 0; i < m->nprocesses; i++) {
		forget(m, &m->processes[i]);
		drop(m->processes[i].owned, (m->frames + 1) * sizeof *m->processes->owned);
	}
	while (m->spares)
		drop(m->spare[--m->spares], m->frames * sizeof **m->spare);
	drop(m->map, (m->frames + 1) * sizeof *m->map);
	drop(m->token, (m->frames + 1) * sizeof *m->token);
	drop(m->extra, (m->frames + 1) * sizeof *m->extra);
	drop(m->nref, (m->frames + 1) * sizeof *m->nref);
	drop(m->queue, m->frames * sizeof *m->queue);
	free(m);
}

const int64_t *machine_counts(const machine *m) { return m->counts; }

int machine_spawn(machine *m) { return (int)(born(m) - m->processes); }

void machine_write(machine *m, int who, const int64_t *pages, int64_t first, int64_t count, int64_t stop, uint32_t token)
{
	process *p = &m->processes[who];
	reach(p, stop);
	for (int64_t i = 0; i < count; i++)
		write_page(m, p, at(pages, first, i), SITE_WRITE_FAULT, token);
}

/* Reading finds every page present here; return how many are not. */
int64_t machine_read(machine *m, int who, const int64_t *pages, int64_t first, int64_t count)
{
	const process *p = &m->processes[who];
	int64_t missing = 0;
	for (int64_t i = 0; i < count; i++)
		missing += !(p->words[at(pages, first, i)] & PRESENT);
	return missing;
}

static inline uint32_t copy_early(machine *m, const process *p, int64_t page, uint32_t old)
{
	if (!(p->leading[PIN] && p->leading[PIN][page]) && !(p->leading[GET] && p->leading[GET][page])) {
		m->counts[false_positives_fork]++;
		m->counts[p->live_pins ? causes_bias_overflow : causes_sticky_bit]++;
	}
	uint32_t new = allocate(m);
	m->token[new] = m->token[old];
	m->counts[copies_fork]++;
	return new | PRESENT | WRITE;
}

int machine_fork(machine *m, int who)
{
	process *p = &m->processes[who], *child = born(m);
	int64_t ptes = 0, early = 0;
	for (int64_t page = 0; page < p->size; page++) {
		uint32_t word = p->words[page], frame = word & NUMBER;
		if (word) {
			ptes++;
			uint16_t map = m->map[frame];
			if ((map & LOOK) && p->has_pinned && (map & COUNT) + m->extra[frame] >= BIAS) {
				child->words[page] = copy_early(m, p, page, frame);
				early++;
				continue;
			}
			if ((map & LOOK) && ((p->leading[PIN] && p->leading[PIN][page]) || (p->leading[GET] && p->leading[GET][page])))
				m->counts[missed_early_copies]++;
			m->map[frame] = map + 1;
			p->words[page] = word & ~WRITE;
		}
		child->words[page] = word & ~WRITE;
	}
	child->size = p->size;
	m->counts[forks]++;
	m->counts[forks_ptes] += ptes;
	m->counts[forks_early_copies] += early;
	m->counts[forks_allocations] += early;
	m->counts[forks_lock_drops] += early;
	m->counts[charged_parent] += early;
	return (int)(child - m->processes);
}

static inline void zap_page(machine *m, process *p, int64_t page)
{
	uint32_t word = p->words[page], frame = word & NUMBER;
	if (!word)
		return;
	m->counts[zapped]++;
	if (!--m->map[frame])
		free_frame(m, frame);
}

void machine_exit(machine *m, int who)
{
	process *p = &m->processes[who];
	lru_drain(m);
	for (int64_t page = 0; page < p->size; page++)
		zap_page(m, p, page);
	forget(m, p);
}

/* Pin for writing (kind PIN) or get for reading (kind GET), both coherent; a get finds its pages present. */
int machine_take(machine *m, int who, int kind, const int64_t *pages, int64_t first, int64_t count)
{
	process *p = &m->processes[who];
	reference *r = &m->references[m->nreferences];
	if (m->nreferences == REFERENCES) {
		fputs("reference.c: too many references\n", stderr);
		exit(1);
	}
	*r = (reference){p, count, malloc(count * sizeof *r->pages), malloc(count * sizeof *r->frames), kind};
	if (!p->leading[kind]) {
		p->leads[kind] = p->size;
		p->leading[kind] = column(p->size * sizeof **p->leading);
	}
	if (!p->owned)
		p->owned = column((m->frames + 1) * sizeof *p->owned);
	if (kind == PIN) {
		p->has_pinned = 1;
		p->live_pins += count;
		for (int64_t i = 0; i < count; i++)
			write_page(m, p, at(pages, first, i), SITE_PIN, 0);
	}
	for (int64_t i = 0; i < count; i++) {
		int64_t page = at(pages, first, i);
		uint32_t frame = p->words[page] & NUMBER;
		r->pages[i] = page;
		r->frames[i] = frame;
		m->map[frame] |= LOOK;
		m->extra[frame] += kind == PIN ? BIAS : 1;
		m->nref[frame]++;
		p->owned[frame]++;
		p->leading[kind][page]++;
	}
	m->counts[pinned_pages] += count;
	return m->nreferences++;
}

void machine_release(machine *m, int which)
{
	reference *r = &m->references[which];
	process *p = r->owner;
	for (int64_t i = 0; i < r->count; i++) {
		uint32_t frame = r->frames[i];
		if (p->words && (p->words[r->pages[i]] & NUMBER) == frame)
			p->leading[r->kind][r->pages[i]]--;
		m->nref[frame]--;
		p->owned[frame]--;
		put_extra(m, frame, r->kind == PIN ? BIAS : 1);
	}
	if (r->kind == PIN)
		p->live_pins -= r->count;
	m->counts[unpinned_pages] += r->count;
	free(r->pages), free(r->frames);
}
