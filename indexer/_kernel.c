/* Finds a query's terms, adds up their weighted impacts over all sections and picks the best.

   Every posting of every term is added. Skipping by upper bounds (MaxScore) was measured and left out: finding the bound and finishing the candidates cost
   more than the additions they save. Best of 50, p50 / p95 in µs without and with it: 21 / 34 and 38 / 81 over 6,241 sections (12,500 postings a query),
   71 / 125 and 72 / 163 over 108,759 (54,000). Without it the cost is bounded all the same, by 128 terms: the most frequent 128 of all take 126 and 783 µs
   (623 and 2,682 with it).

   Sections are taken a window at a time, so that the sums stay in the processor's nearest caches however many sections there are.

   Sums are doubles added in the order of the query's terms, so that the numpy path gives the same ones bit for bit (-ffp-contract=off at build). */

#include <stdint.h>
#include <string.h>

#define MOST 50 /* hits of one call: MAX_LIMIT of indexer/backend.py */
#define LANES 8
#define BLOCK 64 /* sections whose best sum is looked at first */
#define WINDOW 32768 /* sections whose sums are worked out at a time; a multiple of BLOCK */
#define AHEAD 3 /* lists whose beginning is fetched before it is needed */
#define MOST_TERMS 128 /* of one query: MAX_TERMS of indexer/backend.py */
#define MOST_LINES 1024 /* of one text, with the terms that are passed over */
#define REFUSED UINT32_MAX

/* A place of the hash table; `key` 0 means that it is empty. */
typedef struct {
    uint64_t key;
    uint32_t row, frequency;
} Slot;

typedef struct {
    const Slot *slots; /* a power of two of them, some empty; a term stands at its hash or, where that is taken, after it */
    uint64_t last_slot, seed;
    const int64_t *starts; /* terms + 1 of them: where the postings of a term begin */
    const uint32_t *documents; /* positions of sections, ascending within a term, each below `sections` */
    const float *impacts;
    uint32_t sections; /* at most 2^31, so that a window beyond the last is still a number */
} Impacts;

typedef struct {
    double *sums; /* one per section of a window; what they held before does not matter */
    const Slot *found[MOST_TERMS]; /* the query's terms that are looked for */
    double weights[MOST_TERMS];
    int64_t reached[MOST_TERMS]; /* the next posting of each */
    uint32_t positions[MOST]; /* the answer, best first, ties by position */
    double scores[MOST];
} Room;

const char *kernel_source(void) { return SOURCE; }

/* What both sides of the call must agree on: indexer/kernel.py refuses a kernel that was compiled with other numbers. */
const uint32_t *kernel_limits(void) {
    static const uint32_t limits[] = {sizeof(Impacts), sizeof(Room), MOST, MOST_TERMS, WINDOW, MOST_LINES};
    return limits;
}

static int worse(const Room *room, uint32_t a, uint32_t b) {
    return room->scores[a] < room->scores[b] || (room->scores[a] == room->scores[b] && room->positions[a] > room->positions[b]);
}

static void swap(Room *room, uint32_t a, uint32_t b) {
    double score = room->scores[a];
    uint32_t position = room->positions[a];
    room->scores[a] = room->scores[b], room->positions[a] = room->positions[b];
    room->scores[b] = score, room->positions[b] = position;
}

/* The heap's first is its worst. */
static void sift(Room *room, uint32_t size, uint32_t at) {
    for (uint32_t child = 2 * at + 1; child < size; at = child, child = 2 * at + 1) {
        if (child + 1 < size && worse(room, child + 1, child)) child++;
        if (!worse(room, child, at)) return;
        swap(room, child, at);
    }
}

/* Return how many hits stand in the heap once (score, position), which comes after all positions in it, has been offered. */
static uint32_t offer(Room *room, uint32_t found, uint32_t limit, double score, uint32_t position) {
    if (found < limit) {
        room->scores[found] = score, room->positions[found] = position;
        if (++found == limit)
            for (uint32_t at = limit / 2 + 1; at-- > 0;) sift(room, limit, at);
    } else if (score > room->scores[0]) {
        room->scores[0] = score, room->positions[0] = position;
        sift(room, limit, 0);
    }
    return found;
}

/* Lanes, because the compiler may not reorder comparisons of doubles by itself. */
static double highest(const double *sums, uint32_t count) {
    double lanes[LANES] = {0}, best = 0;
    uint32_t at = 0;
    for (; at + LANES <= count; at += LANES)
        for (int lane = 0; lane < LANES; lane++) lanes[lane] = sums[at + lane] > lanes[lane] ? sums[at + lane] : lanes[lane];
    for (int lane = 0; lane < LANES; lane++) best = lanes[lane] > best ? lanes[lane] : best;
    for (; at < count; at++) best = sums[at] > best ? sums[at] : best;
    return best;
}

/* Offer a window's sums, which stand for the sections from `from` on, and return how many hits there are then. The limit-th best of the blocks' maxima is no
   better than the limit-th best section, so whole blocks below it are passed over; after the first window the worst hit so far is the better bound. */
static uint32_t offer_window(Room *room, uint32_t found, uint32_t limit, uint32_t from, uint32_t size) {
    double maxima[WINDOW / BLOCK], floor = 0;
    uint32_t blocks = 0;
    for (uint32_t start = 0; start < size; start += BLOCK) maxima[blocks++] = highest(room->sums + start, size - start < BLOCK ? size - start : BLOCK);
    if (!found && blocks >= limit) {
        for (uint32_t block = 0; block < blocks; block++) found = offer(room, found, limit, maxima[block], block);
        floor = room->scores[0], found = 0;
    }
    for (uint32_t block = 0; block < blocks; block++) {
        if (maxima[block] <= 0 || maxima[block] < floor || (found == limit && maxima[block] <= room->scores[0])) continue;
        const uint32_t start = block * BLOCK, end = size - start < BLOCK ? size : start + BLOCK;
        for (uint32_t at = start; at < end; at++)
            if (room->sums[at] > 0 && room->sums[at] >= floor) found = offer(room, found, limit, room->sums[at], from + at);
    }
    return found;
}

/* FNV-1a, stirred so that its low bits are as good as its high ones; never 0. `key_of` in indexer/impacts.py is the same. */
static uint64_t key_of(const char *text, const char *end, uint64_t seed) {
    uint64_t key = UINT64_C(14695981039346656037) ^ seed;
    for (; text < end; text++) key = (key ^ (uint8_t)*text) * UINT64_C(1099511628211);
    key = (key ^ key >> 32) * UINT64_C(0x9E3779B97F4A7C15);
    key ^= key >> 29;
    return key ? key : 1;
}

static const Slot *slot_of(const Impacts *impacts, uint64_t key) {
    for (uint64_t at = key & impacts->last_slot;; at = (at + 1) & impacts->last_slot) {
        const Slot *slot = impacts->slots + at;
        if (slot->key == key) return slot;
        if (!slot->key) return 0;
    }
}

/* Return how many keys were read: one for each line of `text`, at most `most`; their places are fetched meanwhile. */
static uint32_t keys_of(const Impacts *impacts, const char *text, uint32_t bytes, uint64_t *keys, uint32_t most) {
    const char *stop = text + bytes, *end;
    uint32_t count = 0;
    for (; count < most && text < stop && (end = memchr(text, '\n', stop - text)); text = end + 1) {
        keys[count] = key_of(text, end, impacts->seed);
        __builtin_prefetch(impacts->slots + (keys[count++] & impacts->last_slot));
    }
    return text == stop ? count : REFUSED;
}

/* Fill `frequencies` for the terms of `text` (a stream's letter and the term, a line each); 0 on success. */
uint32_t kernel_frequencies(const Impacts *impacts, const char *text, uint32_t bytes, uint32_t count, uint32_t *frequencies) {
    uint64_t keys[MOST_LINES];
    if (count > MOST_LINES || keys_of(impacts, text, bytes, keys, MOST_LINES) != count) return REFUSED;
    for (uint32_t at = 0; at < count; at++) {
        const Slot *slot = slot_of(impacts, keys[at]);
        frequencies[at] = slot ? slot->frequency : 0;
    }
    return 0;
}

/* Return how many terms stand in the room, or REFUSED when there are not `count`. A term of weight 0 or less is not looked for; nor is one after the first
   `required` that more than `rare` sections hold, or that comes when MOST_TERMS were counted. */
static uint32_t find(const Impacts *impacts, const char *text, uint32_t bytes, const double *weights, uint32_t count, uint32_t required, uint32_t rare, Room *room) {
    uint64_t keys[MOST_LINES];
    uint32_t found = 0, counted = 0;
    if (count > MOST_LINES || keys_of(impacts, text, bytes, keys, MOST_LINES) != count) return REFUSED;
    for (uint32_t at = 0; at < count && counted < MOST_TERMS; at++) {
        const Slot *slot = slot_of(impacts, keys[at]);
        if (at >= required && slot && slot->frequency > rare) continue;
        counted++;
        if (slot && weights[at] > 0) room->found[found] = slot, room->weights[found++] = weights[at];
    }
    return found;
}

/* Return how many hits stand in the room, or REFUSED for terms that cannot be read or a limit that is out of range. `text` and `count` as above; `mask`: one
   byte per section, 0 = never a hit, or NULL. */
uint32_t kernel_best(const Impacts *impacts, const char *text, uint32_t bytes, const double *given, uint32_t terms, uint32_t required, uint32_t rare,
                     const uint8_t *mask, uint32_t limit, Room *room) {
    double *restrict sums = room->sums;
    const uint32_t *documents = impacts->documents, sections = impacts->sections;
    uint32_t hits = 0, count;
    if (limit < 1 || limit > MOST || (count = find(impacts, text, bytes, given, terms, required, rare, room)) == REFUSED) return REFUSED;
    for (uint32_t at = 0; at < count; at++) room->reached[at] = impacts->starts[room->found[at]->row];
    for (uint32_t from = 0; from < sections; from += WINDOW) {
        const uint32_t size = sections - from < WINDOW ? sections - from : WINDOW, end = from + size;
        memset(sums, 0, sizeof(double) * size);
        for (uint32_t at = 0; at < count; at++) {
            const double weight = room->weights[at];
            const int64_t last = impacts->starts[room->found[at]->row + 1];
            int64_t posting = room->reached[at];
            if (at + AHEAD < count) {
                __builtin_prefetch(documents + room->reached[at + AHEAD]);
                __builtin_prefetch(impacts->impacts + room->reached[at + AHEAD]);
            }
            if (end == sections)
                for (; posting < last; posting++) sums[documents[posting] - from] += weight * impacts->impacts[posting];
            else
                for (; posting < last && documents[posting] < end; posting++) sums[documents[posting] - from] += weight * impacts->impacts[posting];
            room->reached[at] = posting;
        }
        if (mask)
            for (uint32_t at = 0; at < size; at++) sums[at] = mask[from + at] ? sums[at] : 0;
        hits = offer_window(room, hits, limit, from, size);
    }
    if (hits < limit)
        for (uint32_t at = hits / 2 + 1; at-- > 0;) sift(room, hits, at);
    for (uint32_t left = hits; left > 1;) {
        swap(room, 0, --left);
        sift(room, left, 0);
    }
    return hits;
}
