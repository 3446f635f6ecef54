#include "platform/link/region.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/clock.h"

#define REGION_PAGE_HUGE 2097152u

static uint64_t region_round(uint64_t bytes, uint64_t to)
{
    return (bytes + to - 1) / to * to;
}

static void region_lay_out(struct region_header *header, const struct region_plan *plan)
{
    uint64_t offset = region_round(sizeof(struct region_header), 4096);

    *header = (struct region_header){
        .worker_count = plan->worker_count,
        .message_count = plan->message_count,
        .block_count = plan->block_count,
        .peer_count = plan->peer_count,
    };
    header->counters_offset = offset;
    offset += (uint64_t)plan->worker_count * sizeof(struct region_counters);
    header->peers_offset = region_round(offset, _Alignof(struct region_peer));
    offset = header->peers_offset + (uint64_t)plan->peer_count * sizeof(struct region_peer);
    header->messages_offset = region_round(offset, 4096);
    offset =
        header->messages_offset + (uint64_t)plan->message_count * sizeof(struct message_header);
    header->blocks_offset = region_round(offset, MESSAGE_BLOCK_BYTES);
    offset = header->blocks_offset + (uint64_t)plan->block_count * MESSAGE_BLOCK_BYTES;
    header->bytes = region_round(offset, REGION_PAGE_HUGE);
}

uint64_t region_bytes(const struct region_plan *plan)
{
    struct region_header header;

    region_lay_out(&header, plan);
    return header.bytes;
}

static enum status region_map_new(struct region *region, enum region_pages pages)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

    if (pages == REGION_PAGES_HUGE)
        flags |= MFD_HUGETLB | MFD_HUGE_2MB;
    region->fd = memfd_create("postern-messages", flags);
    if (region->fd < 0)
        return STATUS_SYSTEM;
    if (ftruncate(region->fd, (off_t)region->bytes) != 0)
        return STATUS_NO_MEMORY;
    /* fallocate first: without it a shortage of pages is a SIGBUS at the first touch. */
    if (fallocate(region->fd, 0, 0, (off_t)region->bytes) != 0)
        return errno == ENOSPC || errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_SYSTEM;
    region->base =
        mmap(NULL, region->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, region->fd, 0);
    if (region->base == MAP_FAILED) {
        region->base = NULL;
        return STATUS_NO_MEMORY;
    }
    return fcntl(region->fd, F_ADD_SEALS, seals) == 0 ? STATUS_OK : STATUS_SYSTEM;
}

enum status region_create(struct region *region, const struct region_plan *plan,
                          enum region_pages pages)
{
    enum status status;

    CHECK(plan->worker_count >= 1 && plan->worker_count <= REGION_WORKERS_MAX);
    CHECK(plan->message_count < UINT32_MAX && plan->block_count < MESSAGE_BLOCK_NONE);
    *region = (struct region){.fd = -1, .writable = true};
    region_lay_out(&region->header, plan);
    region->header.hugepages = pages == REGION_PAGES_HUGE;
    region->header.started_wall_ns = clock_wall_ns();
    region->bytes = region->header.bytes;
    status = region_map_new(region, pages);
    if (status != STATUS_OK) {
        int saved = errno;

        region_close(region);
        errno = saved;
        return status;
    }
    *(struct region_header *)region->base = region->header;
    atomic_thread_fence(memory_order_release);
    region->header.magic = REGION_MAGIC;
    ((struct region_header *)region->base)->magic = REGION_MAGIC;
    return STATUS_OK;
}

/* The creator is trusted to be ours, but a version mix-up must not become a wild read. */
static bool region_header_fits(const struct region_header *header, uint64_t bytes)
{
    struct region_plan plan = {header->worker_count, header->message_count, header->block_count,
                               header->peer_count};
    struct region_header expected;

    if (header->magic != REGION_MAGIC || header->bytes != bytes)
        return false;
    if (plan.worker_count < 1 || plan.worker_count > REGION_WORKERS_MAX)
        return false;
    region_lay_out(&expected, &plan);
    return expected.bytes == bytes && expected.counters_offset == header->counters_offset &&
           expected.peers_offset == header->peers_offset &&
           expected.messages_offset == header->messages_offset &&
           expected.blocks_offset == header->blocks_offset;
}

enum status region_open(struct region *region, int fd)
{
    struct stat file;

    *region = (struct region){.fd = fd};
    if (fstat(fd, &file) != 0 || file.st_size < (off_t)sizeof(struct region_header)) {
        region_close(region);
        return STATUS_BAD_FORMAT;
    }
    region->bytes = (size_t)file.st_size;
    region->base = mmap(NULL, region->bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (region->base == MAP_FAILED) {
        region->base = NULL;
        region_close(region);
        return STATUS_SYSTEM;
    }
    region->header = *(const struct region_header *)region->base;
    if (!region_header_fits(&region->header, region->bytes)) {
        region_close(region);
        return STATUS_BAD_FORMAT;
    }
    return STATUS_OK;
}

void region_close(struct region *region)
{
    if (region->base != NULL)
        munmap(region->base, region->bytes);
    if (region->fd >= 0)
        close(region->fd);
    *region = (struct region){.fd = -1};
}
