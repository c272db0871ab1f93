/* Adds up the weighted impacts of a query's terms over all sections and picks the best.

   Every posting of every term is added. Skipping by upper bounds (MaxScore) was measured and left out: finding the bound and finishing the candidates cost
   more than the additions they save. Best of 50, p50 / p95 in µs without and with it: 21 / 34 and 38 / 81 over 6,241 sections (12,500 postings a query),
   71 / 125 and 72 / 163 over 108,759 (54,000). Without it the cost is bounded all the same, by 128 terms: the most frequent 128 of all take 126 and 783 µs
   (623 and 2,682 with it).

   Sums are doubles added in the order of the query's terms, so that the numpy path gives the same ones bit for bit (-ffp-contract=off at build). */

#include <stdint.h>
#include <string.h>

#define MOST 50 /* hits of one call: MAX_LIMIT of indexer/backend.py */
#define LANES 8
#define BLOCKS 256
#define REFUSED UINT32_MAX

typedef struct {
    const int64_t *starts; /* terms + 1 of them: where the postings of a term begin */
    const uint32_t *documents; /* positions of sections, ascending within a term, each below `sections` */
    const float *impacts;
    uint32_t terms, sections;
} Impacts;

typedef struct {
    double *sums; /* one per section; what they held before does not matter */
    uint32_t positions[MOST]; /* the answer, best first, ties by position */
    double scores[MOST];
} Room;

const char *kernel_source(void) { return SOURCE; }

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

/* Fill the room with the best sections and return how many there are. The limit-th best of the blocks' maxima is no better than the limit-th best section,
   so whole blocks below it are passed over: over few sections this is twice as fast as a heap alone. */
static uint32_t best_of(Room *room, uint32_t sections, uint32_t limit) {
    uint32_t size = (sections / BLOCKS + LANES) / LANES * LANES, found = 0, block = 0;
    double maxima[BLOCKS + 1], floor;
    for (uint32_t start = 0; start < sections; start += size, block++) {
        maxima[block] = highest(room->sums + start, sections - start < size ? sections - start : size);
        found = offer(room, found, limit, maxima[block], block);
    }
    floor = found == limit ? room->scores[0] : 0;
    found = 0, block = 0;
    for (uint32_t start = 0; start < sections; start += size, block++) {
        if (maxima[block] < floor || maxima[block] <= 0) continue;
        uint32_t end = sections - start < size ? sections : start + size;
        for (uint32_t position = start; position < end; position++)
            if (room->sums[position] > 0 && room->sums[position] >= floor) found = offer(room, found, limit, room->sums[position], position);
    }
    if (found < limit)
        for (uint32_t at = found / 2 + 1; at-- > 0;) sift(room, found, at);
    for (uint32_t left = found; left > 1;) {
        swap(room, 0, --left);
        sift(room, left, 0);
    }
    return found;
}

/* Return how many hits stand in the room, or REFUSED for a row that does not exist or a limit that is out of range. `mask`: one byte per section, 0 = never
   a hit, or NULL. */
uint32_t kernel_best(const Impacts *impacts, const uint32_t *rows, const double *weights, uint32_t count, const uint8_t *mask, uint32_t limit, Room *room) {
    double *restrict sums = room->sums;
    if (limit < 1 || limit > MOST) return REFUSED;
    for (uint32_t at = 0; at < count; at++)
        if (rows[at] >= impacts->terms) return REFUSED;
    memset(sums, 0, sizeof(double) * impacts->sections);
    for (uint32_t at = 0; at < count; at++) {
        const double weight = weights[at];
        const int64_t end = impacts->starts[rows[at] + 1];
        for (int64_t posting = impacts->starts[rows[at]]; posting < end; posting++)
            sums[impacts->documents[posting]] += weight * impacts->impacts[posting];
    }
    if (mask)
        for (uint32_t position = 0; position < impacts->sections; position++) sums[position] = mask[position] ? sums[position] : 0;
    return best_of(room, impacts->sections, limit);
}
