/* counters.h: every event the dataplane counts, defined once.
 *
 * One row a worker in the shared region; each counter has one writer (that worker) and is
 * published with a relaxed store, so readers never slow a packet core. A sum that must hold is
 * noted beside the counters it binds.
 */
#ifndef PLATFORM_LINK_COUNTERS_H
#define PLATFORM_LINK_COUNTERS_H

/* X(NAME, "metric name as operators see it") */
#define COUNTER_LIST(X)                                                                   \
    /* packets: rx_packets = pass_full + the sum of all frame_* and tcp_in_* outcomes; a  \
     * packet passed on is counted by the worker that takes it */                         \
    X(RX_PACKETS, "rx_packets")                                                           \
    X(RX_BYTES, "rx_bytes")                                                               \
    X(TX_PACKETS, "tx_packets")                                                           \
    X(TX_BYTES, "tx_bytes")                                                               \
    X(TX_FULL, "tx_full")                                                                 \
    X(PASSED_ON, "passed_on")                                                             \
    X(PASS_FULL, "pass_full")                                                             \
    X(TO_KERNEL, "to_kernel")                                                             \
    X(FROM_KERNEL, "from_kernel")                                                         \
    X(NO_MBUF, "no_mbuf")                                                                 \
    X(FRAME_SHORT, "frame_short")                                                         \
    X(FRAME_SCATTERED, "frame_scattered") /* too large for one buffer */                  \
    X(FRAME_NOT_OURS, "frame_not_ours")                                                   \
    X(FRAME_OTHER_PORT, "frame_other_port") /* ours, but not mail: the kernel's */        \
    X(FRAME_UNKNOWN_TYPE, "frame_unknown_type")                                           \
    X(FRAME_BAD_IP, "frame_bad_ip")                                                       \
    X(FRAME_BAD_CHECKSUM, "frame_bad_checksum")                                           \
    X(FRAME_FRAGMENT, "frame_fragment")                                                   \
    X(FRAME_UNKNOWN_PROTOCOL, "frame_unknown_protocol")                                   \
    X(FRAME_ARP, "frame_arp")                                                             \
    X(FRAME_ND, "frame_nd")                                                               \
    X(FRAME_ICMP_ECHO, "frame_icmp_echo")                                                 \
    X(FRAME_ICMP_OTHER, "frame_icmp_other")                                               \
    X(TCP_IN_ACCEPTED, "tcp_in_accepted")                                                 \
    X(TCP_IN_DUPLICATE, "tcp_in_duplicate")                                               \
    X(TCP_IN_OUT_OF_WINDOW, "tcp_in_out_of_window")                                       \
    X(TCP_IN_BAD_HEADER, "tcp_in_bad_header")                                             \
    X(TCP_IN_BAD_CHECKSUM, "tcp_in_bad_checksum")                                         \
    X(TCP_IN_NO_LISTENER, "tcp_in_no_listener")                                           \
    X(TCP_IN_NO_CONNECTION, "tcp_in_no_connection")                                       \
    X(TCP_IN_NO_ROOM, "tcp_in_no_room")                                                   \
    X(TCP_IN_RESET, "tcp_in_reset")                                                       \
    X(TCP_IN_BAD_ACK, "tcp_in_bad_ack")                                                   \
    X(TCP_IN_CHALLENGED, "tcp_in_challenged")                                             \
    X(TCP_IN_THROTTLED, "tcp_in_throttled")                                               \
    X(TCP_IN_REFUSED, "tcp_in_refused")                                                   \
    X(TCP_RETRANSMITS, "tcp_retransmits")                                                 \
    X(TCP_OUT_OF_ORDER, "tcp_out_of_order")                                               \
    /* handshakes: syn_kept = half_open + half_open_{completed,expired,reset} */          \
    X(SYN_KEPT, "syn_kept")                                                               \
    X(HALF_OPEN_COMPLETED, "half_open_completed")                                         \
    X(HALF_OPEN_EXPIRED, "half_open_expired")                                             \
    X(HALF_OPEN_RESET, "half_open_reset")                                                 \
    X(SYN_COOKIES_SENT, "syn_cookies_sent")                                               \
    X(SYN_COOKIES_GOOD, "syn_cookies_good")                                               \
    X(SYN_COOKIES_BAD, "syn_cookies_bad")                                                 \
    X(SYN_ACKS_WITHHELD, "syn_acks_withheld") /* not repeated: cookies are being sent */  \
    /* connections: opened = open now + the sum of closed_* */                            \
    X(CONNECTIONS_OPENED, "connections_opened")                                           \
    X(CONNECTIONS_REFUSED, "connections_refused")                                         \
    X(CLOSED_NORMAL, "closed_normal")                                                     \
    X(CLOSED_RESET, "closed_reset")                                                       \
    X(CLOSED_TIMEOUT, "closed_timeout")                                                   \
    X(CLOSED_EVICTED, "closed_evicted")                                                   \
    X(CLOSED_ABORTED, "closed_aborted")                                                   \
    /* messages: message_started = in progress + the sum of message_* below */            \
    X(MESSAGE_STARTED, "message_started")                                                 \
    X(MESSAGE_DELIVERED, "message_delivered")                                             \
    X(MESSAGE_INFECTED, "message_infected")                                               \
    X(MESSAGE_UNSCANNABLE, "message_unscannable")                                         \
    X(MESSAGE_RELAY_TEMPORARY, "message_relay_temporary")                                 \
    X(MESSAGE_RELAY_PERMANENT, "message_relay_permanent")                                 \
    X(MESSAGE_NO_RELAY, "message_no_relay")                                               \
    X(MESSAGE_TOO_LARGE, "message_too_large")                                             \
    X(MESSAGE_NO_ROOM, "message_no_room")                                                 \
    X(MESSAGE_MALFORMED, "message_malformed")                                             \
    X(MESSAGE_CUT_OFF, "message_cut_off")                                                 \
    X(MESSAGE_ABANDONED, "message_abandoned")                                             \
    /* prefilter: messages submitted = the sum of prefilter_{settled,cached,sent_on,      \
     * malformed,absent} + those abandoned before; sent_on = the sum of its causes */     \
    X(PREFILTER_SETTLED, "prefilter_settled")                                             \
    X(PREFILTER_CACHED, "prefilter_cached")                                               \
    X(PREFILTER_SENT_ON, "prefilter_sent_on")                                             \
    X(PREFILTER_MALFORMED, "prefilter_malformed")                                         \
    X(PREFILTER_ABSENT, "prefilter_absent")                                               \
    X(PREFILTER_BY_GATE, "prefilter_by_gate")                                             \
    X(PREFILTER_BY_TYPE, "prefilter_by_type")                                             \
    X(PREFILTER_BY_SIGNATURE, "prefilter_by_signature")                                   \
    X(PREFILTER_BY_ALWAYS, "prefilter_by_always")                                         \
    X(PREFILTER_BY_HASH, "prefilter_by_hash")                                             \
    X(PREFILTER_BY_NAME, "prefilter_by_name")                                             \
    X(PREFILTER_BY_LIMIT, "prefilter_by_limit")                                           \
    X(PREFILTER_BYTES, "prefilter_bytes") /* searched */                                  \
    X(CACHE_STORED, "cache_stored")                                                       \
    /* scanners */                                                                        \
    X(SCAN_JOBS, "scan_jobs")                                                             \
    X(SCAN_RETRIES, "scan_retries")                                                       \
    X(SCAN_TIMEOUTS, "scan_timeouts")                                                     \
    X(SCAN_BROKEN, "scan_broken")                                                         \
    X(HAND_OVER_STALE, "hand_over_stale")                                                 \
    X(RELAY_JOBS, "relay_jobs")                                                           \
    X(RELAY_WITHDRAWN, "relay_withdrawn") /* nobody waited for the answer any more */     \
    X(RELAY_UNHEARD, "relay_unheard")     /* delivered, but its sender was not told so */ \
    X(RELAY_BROKEN, "relay_broken")                                                       \
    X(SMTP_COMMANDS, "smtp_commands")                                                     \
    X(SMTP_ROUTE_DOWN, "smtp_route_down") /* RCPT: the servers are away */                \
    X(SMTP_BAD_COMMANDS, "smtp_bad_commands")                                             \
    X(SMTP_REPLIES_4XX, "smtp_replies_4xx")                                               \
    X(SMTP_REPLIES_5XX, "smtp_replies_5xx")                                               \
    X(LOG_LOST, "log_lost")                                                               \
    /* gauges, same rules; COUNTER_GAUGE_FIRST names the first */                         \
    X(HALF_OPEN, "half_open")                                                             \
    X(CONNECTIONS_OPEN, "connections_open")                                               \
    X(TIME_WAIT, "connections_time_wait") /* of connections_open */                       \
    X(MESSAGES_IN_PROGRESS, "messages_in_progress")                                       \
    X(SCANNERS_READY, "scanners_ready") /* as the worker sees them */                     \
    X(SCANNERS_CANDIDATE, "scanners_candidate")                                           \
    X(PEERS_REFUSED, "peers_refused")                                                     \
    X(CONTROL_READY, "control_ready")                                                     \
    X(BLOCKS_FREE, "blocks_free")                                                         \
    X(BLOCKS_TOTAL, "blocks_total")

enum counter {
#define X(name, text) COUNTER_##name,
    COUNTER_LIST(X)
#undef X
        COUNTER_COUNT,
    COUNTER_GAUGE_FIRST = COUNTER_HALF_OPEN /* from here on they go down, too */
};

/* The metric name of `counter`; null outside the list. */
const char *counter_name(enum counter counter);

#endif
