#include "platform/link/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/check.h"

struct channel_shape {
    uint32_t capacity;
    uint32_t job_bytes;
    uint32_t result_bytes;
};

static struct channel_shape channel_shape(enum channel_kind kind)
{
    if (kind == CHANNEL_SCANNER)
        return (struct channel_shape){SCAN_JOBS_PER_RING, sizeof(struct scan_job),
                                      sizeof(struct scan_result)};
    return (struct channel_shape){RELAY_JOBS_PER_RING, sizeof(struct relay_job),
                                  sizeof(struct relay_result)};
}

/* busy (own cache line) | jobs ring | results ring */
static size_t channel_stride(enum channel_kind kind)
{
    struct channel_shape shape = channel_shape(kind);

    return RING_ALIGNMENT + ring_bytes(shape.capacity, shape.job_bytes) +
           ring_bytes(shape.capacity, shape.result_bytes);
}

static size_t channel_bytes(enum channel_kind kind, uint32_t worker_count)
{
    size_t bytes = channel_stride(kind) * worker_count + sizeof(struct peer_row);

    return (bytes + 4095) & ~(size_t)4095;
}

static enum status channel_memory_map(struct channel_memory *memory)
{
    memory->base = mmap(NULL, memory->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
    if (memory->base != MAP_FAILED)
        return STATUS_OK;
    memory->base = NULL;
    channel_memory_close(memory);
    return STATUS_SYSTEM;
}

enum status channel_memory_create(struct channel_memory *memory, enum channel_kind kind,
                                  uint32_t worker_count)
{
    CHECK(worker_count >= 1 && worker_count <= REGION_WORKERS_MAX);
    *memory = (struct channel_memory){
        .bytes = channel_bytes(kind, worker_count), .worker_count = worker_count, .kind = kind};
    memory->fd = memfd_create("postern-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory->fd < 0)
        return STATUS_SYSTEM;
    if (ftruncate(memory->fd, (off_t)memory->bytes) != 0 ||
        fcntl(memory->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        channel_memory_close(memory);
        return STATUS_SYSTEM;
    }
    return channel_memory_map(memory);
}

enum status channel_memory_open(struct channel_memory *memory, enum channel_kind kind,
                                uint32_t worker_count, int fd)
{
    struct stat file;

    *memory = (struct channel_memory){.fd = fd, .worker_count = worker_count, .kind = kind};
    if (worker_count < 1 || worker_count > REGION_WORKERS_MAX || fstat(fd, &file) != 0 ||
        (size_t)file.st_size != channel_bytes(kind, worker_count)) {
        channel_memory_close(memory);
        return STATUS_BAD_FORMAT;
    }
    memory->bytes = (size_t)file.st_size;
    return channel_memory_map(memory);
}

void channel_memory_close(struct channel_memory *memory)
{
    if (memory->base != NULL)
        munmap(memory->base, memory->bytes);
    if (memory->fd >= 0)
        close(memory->fd);
    memory->base = NULL;
    memory->fd = -1;
}

void channel_attach(struct channel *channel, const struct channel_memory *memory, uint32_t worker)
{
    struct channel_shape shape = channel_shape(memory->kind);
    uint8_t *base = memory->base + worker * channel_stride(memory->kind);
    uint8_t *jobs = base + RING_ALIGNMENT;

    CHECK(worker < memory->worker_count);
    channel->busy = (_Atomic uint32_t *)base;
    ring_attach(&channel->jobs, jobs, shape.capacity, shape.job_bytes);
    ring_attach(&channel->results, jobs + ring_bytes(shape.capacity, shape.job_bytes),
                shape.capacity, shape.result_bytes);
}

struct peer_row *channel_row(const struct channel_memory *memory)
{
    return (struct peer_row *)(memory->base + channel_stride(memory->kind) * memory->worker_count);
}

/* The kind lies in the same place in no two jobs: each is read as what it is. */
static uint32_t channel_next_kind(struct channel *channel, enum channel_kind kind)
{
    struct scan_job scan;
    struct relay_job relay;

    if (kind == CHANNEL_SCANNER)
        return ring_pop(&channel->jobs, &scan) == STATUS_OK ? scan.kind : 0;
    return ring_pop(&channel->jobs, &relay) == STATUS_OK ? relay.kind : 0;
}

uint64_t channel_unread(const struct channel_memory *memory)
{
    uint64_t unread = 0;

    for (uint32_t worker = 0; worker < memory->worker_count; worker++) {
        struct channel channel;
        uint32_t left;

        channel_attach(&channel, memory, worker);
        ring_resume(&channel.jobs);
        /* No more than there is room for, whatever the peer wrote there. */
        for (left = channel.jobs.capacity; left > 0; left--) {
            uint32_t kind = channel_next_kind(&channel, memory->kind);

            if (kind == 0)
                break;
            unread += kind != JOB_WITHDRAW;
        }
    }
    return unread;
}
