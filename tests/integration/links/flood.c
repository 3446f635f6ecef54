/* flood: TCP SYNs with random sources, as fast as an interface takes them.
 *
 *   flood INTERFACE OUR_MAC MAC ADDRESS PORT SECONDS [PACKETS_PER_SECOND]
 *
 * Sources are random addresses of 198.18.128.0/17 (reserved for tests: RFC 2544) with random ports
 * and sequence numbers; options are those of a usual client. OUR_MAC is the source of the frames
 * and belongs to nobody, so that no kernel answers for the addresses. Says one line of JSON at the
 * end: packets and seconds.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#define FLOOD_BURST     32
#define FLOOD_ETHERNET  14
#define FLOOD_IP        20
#define FLOOD_TCP       40
#define FLOOD_FRAME     (FLOOD_ETHERNET + FLOOD_IP + FLOOD_TCP)
#define FLOOD_NETWORK   0xc6128000u /* 198.18.128.0/17 */
#define FLOOD_HOST_MASK 0x00007fffu

static const uint8_t flood_options[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2,
                                          3, 4, 0, 0,    0, 0, 1, 3,  3, 7};

static double flood_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t flood_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static uint32_t flood_sum(const uint8_t *bytes, size_t length, uint32_t sum)
{
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    return sum;
}

static uint16_t flood_fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static bool flood_read_mac(const char *text, uint8_t mac[6])
{
    return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
                  &mac[4], &mac[5]) == 6;
}

/* All that stays the same. */
static bool flood_template(uint8_t *frame, char **argv)
{
    uint8_t *ip = frame + FLOOD_ETHERNET;
    uint8_t *tcp = ip + FLOOD_IP;
    uint16_t port = htons((uint16_t)strtoul(argv[5], NULL, 10));

    memset(frame, 0, FLOOD_FRAME);
    if (!flood_read_mac(argv[2], frame + 6) || !flood_read_mac(argv[3], frame) ||
        inet_pton(AF_INET, argv[4], ip + 16) != 1)
        return false;
    frame[12] = 0x08;
    ip[0] = 0x45;
    ip[3] = FLOOD_IP + FLOOD_TCP;
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = 6;
    memcpy(tcp + 2, &port, sizeof(port));
    tcp[12] = FLOOD_TCP / 4 << 4;
    tcp[13] = 2;
    tcp[14] = 0xff;
    tcp[15] = 0xff;
    memcpy(tcp + 20, flood_options, sizeof(flood_options));
    return true;
}

static void flood_vary(uint8_t *frame, uint64_t *random)
{
    uint8_t *ip = frame + FLOOD_ETHERNET;
    uint8_t *tcp = ip + FLOOD_IP;
    uint64_t drawn = flood_random(random);
    uint32_t source = htonl(FLOOD_NETWORK | ((uint32_t)(drawn >> 48) & FLOOD_HOST_MASK));
    uint32_t seq = (uint32_t)flood_random(random);
    uint16_t port = htons((uint16_t)(1024 + (drawn >> 20) % 60000));
    uint16_t sum;

    memcpy(ip + 12, &source, sizeof(source));
    memset(ip + 10, 0, 2);
    sum = flood_fold(flood_sum(ip, FLOOD_IP, 0));
    memcpy(ip + 10, &sum, sizeof(sum));
    memcpy(tcp, &port, sizeof(port));
    memcpy(tcp + 4, &seq, sizeof(seq));
    memset(tcp + 16, 0, 2);
    sum = flood_fold(flood_sum(tcp, FLOOD_TCP, flood_sum(ip + 12, 8, 6 + FLOOD_TCP)));
    memcpy(tcp + 16, &sum, sizeof(sum));
}

static int flood_open(const char *interface)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_ifindex = (int)if_nametoindex(interface)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd < 0 || address.sll_ifindex == 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fprintf(stderr, "flood: %s: %s\n", interface, strerror(errno));
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static uint8_t frames[FLOOD_BURST][FLOOD_FRAME];
    struct iovec parts[FLOOD_BURST];
    struct mmsghdr messages[FLOOD_BURST];
    uint64_t random = 0x9e3779b97f4a7c15u;
    uint64_t sent = 0;
    double rate = argc > 7 ? strtod(argv[7], NULL) : 0;
    double started;
    double until;
    int fd;

    if (argc < 7) {
        fprintf(stderr,
                "usage: flood INTERFACE OUR_MAC MAC ADDRESS PORT SECONDS [PACKETS_PER_SECOND]\n");
        return 2;
    }
    memset(messages, 0, sizeof(messages));
    for (int i = 0; i < FLOOD_BURST; i++) {
        if (!flood_template(frames[i], argv))
            return 2;
        parts[i] = (struct iovec){frames[i], FLOOD_FRAME};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    fd = flood_open(argv[1]);
    started = flood_now();
    until = started + strtod(argv[6], NULL);
    while (flood_now() < until) {
        int went;

        if (rate > 0 && (double)sent > (flood_now() - started) * rate) {
            usleep(500);
            continue;
        }
        for (int i = 0; i < FLOOD_BURST; i++)
            flood_vary(frames[i], &random);
        went = sendmmsg(fd, messages, FLOOD_BURST, 0);
        if (went > 0)
            sent += (uint64_t)went;
        else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
            break;
    }
    printf("{\"packets\": %llu, \"seconds\": %.3f}\n", (unsigned long long)sent,
           flood_now() - started);
    return 0;
}
