/* The banker's rule in the order of age: see admission.h. */
#include "dataplane/message/admission.h"

#include <stddef.h>

#include "platform/check.h"
#include "platform/sums.h"

#define ADMISSION_CLIENT_PART 8u /* of the small part, a client's own */
#define ADMISSION_AROUND_PART 4u /* and what is for all around it */

static void list_append(struct admission_list *list, struct admission_entry *entry)
{
    entry->next = NULL;
    entry->previous = list->last;
    if (list->last != NULL)
        list->last->next = entry;
    else
        list->first = entry;
    list->last = entry;
}

static void list_remove(struct admission_list *list, struct admission_entry *entry)
{
    if (entry->previous != NULL)
        entry->previous->next = entry->next;
    else
        list->first = entry->next;
    if (entry->next != NULL)
        entry->next->previous = entry->previous;
    else
        list->last = entry->previous;
    entry->next = NULL;
    entry->previous = NULL;
}

static uint32_t less(uint32_t from, uint32_t what)
{
    return from > what ? from - what : 0;
}

static uint32_t large_capacity(const struct admission *admission)
{
    return admission->capacity - admission->small_capacity;
}

static uint32_t large_of(const struct admission_entry *entry)
{
    return entry->granted - entry->small;
}

static uint32_t small_left(const struct admission *admission)
{
    return admission->small_capacity - admission->small_granted;
}

static uint32_t large_left(const struct admission *admission)
{
    return admission->capacity - admission->granted - small_left(admission);
}

/* What is left of the large part beyond what the oldest that grows may come to need. */
static uint32_t large_room(const struct admission *admission)
{
    const struct admission_entry *oldest = admission->growing.first;
    uint32_t need = oldest == NULL ? 0 : oldest->claim - oldest->granted;

    return less(large_left(admission), need);
}

/* The same for those that do not wait in the order they came: the first of these goes before. */
static uint32_t large_room_behind(const struct admission *admission)
{
    const struct admission_entry *first = admission->waiting.first;

    return less(large_room(admission), first == NULL ? 0 : first->claim);
}

/* Would the state be safe if others than the oldest held so many blocks more? */
static bool safe_with(const struct admission *admission, uint32_t blocks)
{
    const struct admission_entry *oldest = admission->growing.first;
    uint32_t others = admission->unsure - (oldest == NULL ? 0 : large_of(oldest));

    return (uint64_t)others + blocks + admission->lot <= large_capacity(admission);
}

static bool client_within(const struct admission_client *client, uint32_t blocks, uint32_t share)
{
    return client == NULL || client->granted == 0 || client->granted + blocks <= share;
}

static void client_count(struct admission_entry *entry, int32_t blocks)
{
    for (unsigned i = 0; i < 2 && entry->client[i] != NULL; i++)
        entry->client[i]->granted += (uint32_t)blocks;
}

bool admission_crowds(const struct admission *admission, const struct admission_request *request)
{
    uint32_t all = admission->small_capacity;

    return small_left(admission) < all / 2 &&
           !(client_within(request->client[0], request->blocks, all / ADMISSION_CLIENT_PART) &&
             client_within(request->client[1], request->blocks, all / ADMISSION_AROUND_PART));
}

static void grant(struct admission *admission, struct admission_entry *entry, uint32_t blocks,
                  uint32_t small)
{
    CHECK(small <= blocks && small <= small_left(admission));
    CHECK(blocks - small <= large_left(admission));
    entry->granted += blocks;
    entry->small += small;
    admission->granted += blocks;
    admission->small_granted += small;
    client_count(entry, (int32_t)blocks);
    if (entry->stage == ADMISSION_UNSURE || entry->stage == ADMISSION_GROWING)
        admission->unsure += blocks - small;
}

static void take_back(struct admission *admission, struct admission_entry *entry, uint32_t keep)
{
    uint32_t small = entry->small < keep ? entry->small : keep;

    CHECK(keep <= entry->granted && entry->granted <= admission->granted);
    client_count(entry, (int32_t)keep - (int32_t)entry->granted);
    admission->granted -= entry->granted - keep;
    admission->small_granted -= entry->small - small;
    entry->granted = keep;
    entry->small = small;
}

/* Leaves its list and the sum of those that may want more. */
static void settle(struct admission *admission, struct admission_entry *entry)
{
    if (entry->stage == ADMISSION_GROWING)
        list_remove(&admission->growing, entry);
    if (entry->stage == ADMISSION_WAITING)
        list_remove(&admission->waiting, entry);
    if (entry->stage == ADMISSION_COMPLETE && entry->small > 0)
        list_remove(&admission->complete, entry);
    if (entry->stage == ADMISSION_UNSURE || entry->stage == ADMISSION_GROWING) {
        CHECK(admission->unsure >= large_of(entry));
        admission->unsure -= large_of(entry);
    }
    entry->stage = ADMISSION_SURE;
    entry->since_ns = 0;
}

static bool wait_from(struct admission_entry *entry, int64_t now_ns)
{
    if (entry->since_ns == 0)
        entry->since_ns = now_ns;
    return false;
}

void admission_init(struct admission *admission, uint32_t capacity)
{
    *admission = (struct admission){.capacity = capacity, .small_capacity = capacity / 4};
}

void admission_fit(struct admission *admission, uint32_t lot)
{
    uint32_t least = admission->capacity / SUMS_SMALL_LEAST;
    uint32_t beside = less(admission->capacity, lot);

    CHECK(admission->granted == 0);
    admission->small_capacity = admission->capacity / 4;
    admission->largest = lot;
    if (beside < admission->small_capacity)
        admission->small_capacity = beside > least ? beside : least;
}

/* The claim of one of unknown size. 0: it is larger than any before, and that would not be safe
 * now. */
static uint32_t claim_of(struct admission *admission, uint32_t claim)
{
    if (claim > large_capacity(admission))
        claim = large_capacity(admission);
    if (claim > admission->lot) {
        if ((uint64_t)admission->unsure + claim > large_capacity(admission))
            return 0;
        admission->lot = claim;
    }
    return claim;
}

/* Complete mail leaves the small part, as far as there is `room` elsewhere. True when all has. */
static bool complete_move(struct admission *admission, struct admission_entry *entry, uint32_t room)
{
    uint32_t moves = entry->small < room ? entry->small : room;

    entry->small -= moves;
    admission->small_granted -= moves;
    return entry->small == 0;
}

/* It has to, until half of the small part is left and `blocks` are. */
static void complete_moves(struct admission *admission, uint32_t blocks)
{
    uint32_t half = admission->small_capacity / 2;
    uint32_t wanted = blocks > half ? blocks : half;

    while (admission->complete.first != NULL && small_left(admission) < wanted) {
        struct admission_entry *entry = admission->complete.first;

        if (!complete_move(admission, entry, large_room_behind(admission)))
            return;
        list_remove(&admission->complete, entry);
    }
}

/* Small mail and first shares: from the small part, else from the large one where that is safe. */
static bool enter_small(struct admission *admission, struct admission_entry *entry,
                        const struct admission_request *request)
{
    uint32_t claim = request->sure ? request->claim : claim_of(admission, request->claim);
    uint32_t small = 0;

    if (claim == 0)
        return false;
    complete_moves(admission, request->blocks);
    if (admission_crowds(admission, request))
        return false;
    if (small_left(admission) >= request->blocks)
        small = request->blocks;
    else if (large_room_behind(admission) < request->blocks ||
             (!request->sure && !safe_with(admission, request->blocks)))
        return false;
    entry->claim = claim < request->blocks ? request->blocks : claim;
    entry->stage = request->sure ? ADMISSION_SURE : ADMISSION_UNSURE;
    grant(admission, entry, request->blocks, small);
    return true;
}

static bool enter_large(struct admission *admission, struct admission_entry *entry,
                        const struct admission_request *request)
{
    if (entry->stage == ADMISSION_NONE) {
        entry->claim = request->claim;
        entry->stage = ADMISSION_WAITING;
        list_append(&admission->waiting, entry);
    }
    if (admission->waiting.first != entry || large_room(admission) < request->blocks)
        return false;
    settle(admission, entry);
    grant(admission, entry, request->blocks, 0);
    return true;
}

bool admission_enter(struct admission *admission, struct admission_entry *entry,
                     const struct admission_request *request, int64_t now_ns)
{
    CHECK(entry->stage == ADMISSION_NONE || entry->stage == ADMISSION_WAITING);
    CHECK(request->blocks <= request->claim && (request->small || request->sure));
    entry->client[0] = request->client[0];
    entry->client[1] = request->client[1];
    if (!(request->small ? enter_small(admission, entry, request)
                         : enter_large(admission, entry, request)))
        return wait_from(entry, now_ns);
    entry->since_ns = 0;
    CHECK_SLOW(admission_safe(admission));
    return true;
}

bool admission_grow(struct admission *admission, struct admission_entry *entry, uint32_t blocks,
                    int64_t now_ns)
{
    uint32_t more;
    bool may;

    if (blocks <= entry->granted)
        return true;
    CHECK(entry->stage == ADMISSION_UNSURE || entry->stage == ADMISSION_GROWING);
    if (entry->stage == ADMISSION_UNSURE) {
        entry->stage = ADMISSION_GROWING;
        list_append(&admission->growing, entry);
    }
    more = blocks - entry->granted;
    if (admission->growing.first == entry)
        may = large_left(admission) >= more;
    else
        may = large_room_behind(admission) >= more && safe_with(admission, more);
    if (!may || blocks > entry->claim)
        return wait_from(entry, now_ns);
    grant(admission, entry, more, 0);
    entry->since_ns = 0;
    CHECK_SLOW(admission_safe(admission));
    return true;
}

bool admission_exceed(struct admission *admission, struct admission_entry *entry, uint32_t claim)
{
    CHECK(entry->stage == ADMISSION_SURE);
    claim = claim_of(admission, claim);
    if (claim == 0 || claim < entry->granted ||
        !safe_with(admission, admission->growing.first == NULL ? 0 : large_of(entry)))
        return false;
    entry->claim = claim;
    entry->stage = ADMISSION_GROWING;
    admission->unsure += large_of(entry);
    list_append(&admission->growing, entry);
    CHECK_SLOW(admission_safe(admission));
    return true;
}

void admission_complete(struct admission *admission, struct admission_entry *entry, uint32_t used)
{
    CHECK(entry->stage != ADMISSION_WAITING && entry->stage != ADMISSION_COMPLETE);
    if (entry->stage == ADMISSION_NONE)
        return;
    settle(admission, entry);
    take_back(admission, entry, used < entry->granted ? used : entry->granted);
    client_count(entry, -(int32_t)entry->granted);
    entry->client[0] = NULL; /* it is nobody's share any more */
    entry->client[1] = NULL;
    entry->stage = ADMISSION_COMPLETE;
    if (!complete_move(admission, entry, less(large_room_behind(admission), admission->largest)))
        list_append(&admission->complete, entry);
}

void admission_leave(struct admission *admission, struct admission_entry *entry)
{
    if (entry->stage != ADMISSION_NONE) {
        settle(admission, entry);
        take_back(admission, entry, 0);
    }
    *entry = (struct admission_entry){.stage = ADMISSION_NONE};
}

bool admission_safe(const struct admission *admission)
{
    uint32_t left = less(large_capacity(admission), admission->unsure);

    if (admission->granted > admission->capacity ||
        admission->small_granted > admission->small_capacity ||
        admission->unsure > large_capacity(admission))
        return false;
    for (const struct admission_entry *entry = admission->growing.first; entry != NULL;
         entry = entry->next) {
        if (entry->claim - entry->granted > left)
            return false;
        left += large_of(entry);
    }
    /* Whoever has not asked yet may still do so, as the last of all. */
    return left >= admission->lot;
}
