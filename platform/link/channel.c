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

/* busy and refused (own cache line) | jobs ring | results ring */
static size_t channel_stride(enum channel_kind kind)
{
    struct channel_shape shape = channel_shape(kind);

    return RING_ALIGNMENT + ring_bytes(shape.capacity, shape.job_bytes) +
           ring_bytes(shape.capacity, shape.result_bytes);
}

static size_t channel_bytes(enum channel_kind kind, uint32_t worker_count)
{
    return (channel_stride(kind) * worker_count + 4095) & ~(size_t)4095;
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
    channel->refused = channel->busy + 1;
    ring_attach(&channel->jobs, jobs, shape.capacity, shape.job_bytes);
    ring_attach(&channel->results, jobs + ring_bytes(shape.capacity, shape.job_bytes),
                shape.capacity, shape.result_bytes);
}
