/* counter_list.h: what is counted, defined once: the counters of a worker, of a scanner child and
 * of control, their histograms, and the sums that must hold. `postern status`, docs/counters.md and
 * the tests take all they know from here.
 */
#ifndef PLATFORM_LINK_COUNTER_LIST_H
#define PLATFORM_LINK_COUNTER_LIST_H

/* X(NAME, "metric name as operators see it", KIND, "unit", OVER, "what it counts")
 * KIND: COUNTER only rises, GAUGE goes down, too. OVER all workers: SUM, LEAST, MOST. */
#define COUNTER_LIST(X)                                                                           \
    /* packets */                                                                                 \
    X(RX_PACKETS, "rx_packets", COUNTER, "packets", SUM, "frames received by this worker")        \
    X(RX_BYTES, "rx_bytes", COUNTER, "bytes", SUM, "bytes of those frames")                       \
    X(TX_PACKETS, "tx_packets", COUNTER, "packets", SUM, "frames given to the port")              \
    X(TX_BYTES, "tx_bytes", COUNTER, "bytes", SUM, "bytes of those frames")                       \
    X(TX_FULL, "tx_full", COUNTER, "packets", SUM, "frames dropped: the port took no more")       \
    X(PASSED_ON, "passed_on", COUNTER, "packets", SUM,                                            \
      "frames passed on to the worker that has the flow, which counts them")                      \
    X(PASS_FULL, "pass_full", COUNTER, "packets", SUM,                                            \
      "frames dropped: the other worker's ring was full")                                         \
    X(TO_KERNEL, "to_kernel", COUNTER, "packets", SUM,                                            \
      "frames passed on to the kernel by the exception interface")                                \
    X(FROM_KERNEL, "from_kernel", COUNTER, "packets", SUM, "frames sent for the kernel")          \
    X(NO_MBUF, "no_mbuf", COUNTER, "packets", SUM,                                                \
      "frames or answers lost: no packet buffer was free")                                        \
    X(FRAME_SHORT, "frame_short", COUNTER, "packets", SUM,                                        \
      "frames that end before their headers do")                                                  \
    X(FRAME_SCATTERED, "frame_scattered", COUNTER, "packets", SUM,                                \
      "frames too large for one packet buffer")                                                   \
    X(FRAME_NOT_OURS, "frame_not_ours", COUNTER, "packets", SUM,                                  \
      "frames for another Ethernet or IP address")                                                \
    X(FRAME_OTHER_PORT, "frame_other_port", COUNTER, "packets", SUM,                              \
      "segments and datagrams that are ours, but not mail: the kernel's")                         \
    X(FRAME_UNKNOWN_TYPE, "frame_unknown_type", COUNTER, "packets", SUM,                          \
      "frames of another Ethernet type")                                                          \
    X(FRAME_BAD_IP, "frame_bad_ip", COUNTER, "packets", SUM, "IP headers that break a rule")      \
    X(FRAME_BAD_CHECKSUM, "frame_bad_checksum", COUNTER, "packets", SUM,                          \
      "IP or ICMP headers with a wrong checksum")                                                 \
    X(FRAME_FRAGMENT, "frame_fragment", COUNTER, "packets", SUM,                                  \
      "fragments, which are not put together")                                                    \
    X(FRAME_UNKNOWN_PROTOCOL, "frame_unknown_protocol", COUNTER, "packets", SUM,                  \
      "IP packets of another protocol")                                                           \
    X(FRAME_ARP, "frame_arp", COUNTER, "packets", SUM, "ARP frames")                              \
    X(FRAME_ND, "frame_nd", COUNTER, "packets", SUM, "neighbour discovery of IPv6")               \
    X(FRAME_ICMP_ECHO, "frame_icmp_echo", COUNTER, "packets", SUM, "echo requests")               \
    X(FRAME_ICMP_OTHER, "frame_icmp_other", COUNTER, "packets", SUM, "other ICMP messages")       \
    X(TCP_IN_ACCEPTED, "tcp_in_accepted", COUNTER, "packets", SUM,                                \
      "segments that did what they were sent for")                                                \
    X(TCP_IN_DUPLICATE, "tcp_in_duplicate", COUNTER, "packets", SUM,                              \
      "segments without anything new")                                                            \
    X(TCP_IN_OUT_OF_WINDOW, "tcp_in_out_of_window", COUNTER, "packets", SUM,                      \
      "segments outside the window")                                                              \
    X(TCP_IN_BAD_HEADER, "tcp_in_bad_header", COUNTER, "packets", SUM,                            \
      "segments whose header breaks a rule")                                                      \
    X(TCP_IN_BAD_CHECKSUM, "tcp_in_bad_checksum", COUNTER, "packets", SUM,                        \
      "segments with a wrong checksum")                                                           \
    X(TCP_IN_NO_LISTENER, "tcp_in_no_listener", COUNTER, "packets", SUM,                          \
      "segments to a port where nobody listens")                                                  \
    X(TCP_IN_NO_CONNECTION, "tcp_in_no_connection", COUNTER, "packets", SUM,                      \
      "segments of no connection we know")                                                        \
    X(TCP_IN_NO_ROOM, "tcp_in_no_room", COUNTER, "packets", SUM,                                  \
      "segments dropped: no connection or block was free")                                        \
    X(TCP_IN_RESET, "tcp_in_reset", COUNTER, "packets", SUM, "resets that ended a connection")    \
    X(TCP_IN_BAD_ACK, "tcp_in_bad_ack", COUNTER, "packets", SUM,                                  \
      "segments that acknowledge what was never sent")                                            \
    X(TCP_IN_CHALLENGED, "tcp_in_challenged", COUNTER, "packets", SUM,                            \
      "segments answered with a challenge (RFC 5961)")                                            \
    X(TCP_IN_THROTTLED, "tcp_in_throttled", COUNTER, "packets", SUM,                              \
      "SYNs left unanswered: their client opens too fast")                                        \
    X(TCP_IN_REFUSED, "tcp_in_refused", COUNTER, "packets", SUM,                                  \
      "segments that would have opened a connection that was refused")                            \
    X(TCP_RETRANSMITS, "tcp_retransmits", COUNTER, "packets", SUM, "segments sent again")         \
    X(TCP_OUT_OF_ORDER, "tcp_out_of_order", COUNTER, "packets", SUM,                              \
      "segments placed ahead of a gap")                                                           \
    X(REPLIES_WITHHELD, "replies_withheld", COUNTER, "replies", SUM,                              \
      "replies put off: memory is short and the peer has no window")                              \
    /* handshakes */                                                                              \
    X(SYN_KEPT, "syn_kept", COUNTER, "connections", SUM,                                          \
      "SYNs for which a half-open connection was made")                                           \
    X(HALF_OPEN_COMPLETED, "half_open_completed", COUNTER, "connections", SUM,                    \
      "half-open connections that were opened")                                                   \
    X(HALF_OPEN_EXPIRED, "half_open_expired", COUNTER, "connections", SUM,                        \
      "half-open connections whose time was over")                                                \
    X(HALF_OPEN_RESET, "half_open_reset", COUNTER, "connections", SUM,                            \
      "half-open connections the peer reset")                                                     \
    X(SYN_COOKIES_SENT, "syn_cookies_sent", COUNTER, "connections", SUM,                          \
      "SYNs answered with a cookie, since the table was full")                                    \
    X(SYN_COOKIES_GOOD, "syn_cookies_good", COUNTER, "connections", SUM,                          \
      "connections opened by a cookie")                                                           \
    X(SYN_COOKIES_BAD, "syn_cookies_bad", COUNTER, "connections", SUM,                            \
      "acknowledgements that were no valid cookie")                                               \
    X(SYN_ACKS_WITHHELD, "syn_acks_withheld", COUNTER, "packets", SUM,                            \
      "SYN-ACKs not repeated: cookies are being sent")                                            \
    /* connections */                                                                             \
    X(CONNECTIONS_OPENED, "connections_opened", COUNTER, "connections", SUM,                      \
      "connections that were opened")                                                             \
    X(CONNECTIONS_REFUSED, "connections_refused", COUNTER, "connections", SUM,                    \
      "connections refused by a limit of clients or of all")                                      \
    X(CLOSED_NORMAL, "closed_normal", COUNTER, "connections", SUM,                                \
      "connections closed by both sides")                                                         \
    X(CLOSED_RESET, "closed_reset", COUNTER, "connections", SUM, "connections reset by the peer") \
    X(CLOSED_TIMEOUT, "closed_timeout", COUNTER, "connections", SUM,                              \
      "connections of peers that were silent for too long")                                       \
    X(CLOSED_EVICTED, "closed_evicted", COUNTER, "connections", SUM,                              \
      "connections given up for newer ones")                                                      \
    X(CLOSED_ABORTED, "closed_aborted", COUNTER, "connections", SUM, "connections that we reset") \
    /* messages */                                                                                \
    X(MESSAGE_STARTED, "message_started", COUNTER, "messages", SUM, "messages begun with MAIL")   \
    X(MESSAGE_DELIVERED, "message_delivered", COUNTER, "messages", SUM,                           \
      "messages the customer's server accepted")                                                  \
    X(MESSAGE_INFECTED, "message_infected", COUNTER, "messages", SUM,                             \
      "messages refused for a signature")                                                         \
    X(MESSAGE_UNSCANNABLE, "message_unscannable", COUNTER, "messages", SUM,                       \
      "messages refused or deferred since nothing could vouch for them")                          \
    X(MESSAGE_RELAY_TEMPORARY, "message_relay_temporary", COUNTER, "messages", SUM,               \
      "messages the customer's server deferred")                                                  \
    X(MESSAGE_RELAY_PERMANENT, "message_relay_permanent", COUNTER, "messages", SUM,               \
      "messages the customer's server refused")                                                   \
    X(MESSAGE_NO_RELAY, "message_no_relay", COUNTER, "messages", SUM,                             \
      "messages deferred: control or the customer's server not reached, broken off or too slow")  \
    X(MESSAGE_TOO_LARGE, "message_too_large", COUNTER, "messages", SUM,                           \
      "messages longer than allowed")                                                             \
    X(MESSAGE_NO_ROOM, "message_no_room", COUNTER, "messages", SUM,                               \
      "messages deferred: no memory was free")                                                    \
    X(MESSAGE_MALFORMED, "message_malformed", COUNTER, "messages", SUM,                           \
      "messages refused for a bare CR or LF or for going in circles")                             \
    X(MESSAGE_CUT_OFF, "message_cut_off", COUNTER, "messages", SUM,                               \
      "messages whose sender left or began anew before their end")                                \
    X(MESSAGE_ABANDONED, "message_abandoned", COUNTER, "messages", SUM,                           \
      "messages whose sender left after their end, before they were relayed")                     \
    /* prefilter */                                                                               \
    X(PREFILTER_SETTLED, "prefilter_settled", COUNTER, "messages", SUM, "messages proven clean")  \
    X(PREFILTER_CACHED, "prefilter_cached", COUNTER, "messages", SUM,                             \
      "messages whose verdict was known")                                                         \
    X(PREFILTER_SENT_ON, "prefilter_sent_on", COUNTER, "messages", SUM,                           \
      "messages that need the scanner")                                                           \
    X(PREFILTER_ABSENT, "prefilter_absent", COUNTER, "messages", SUM,                             \
      "messages that came while there was no prefilter: the scanner's")                           \
    X(PREFILTER_BY_GATE, "prefilter_by_gate", COUNTER, "messages", SUM,                           \
      "sent on for how they are made")                                                            \
    X(PREFILTER_BY_TYPE, "prefilter_by_type", COUNTER, "messages", SUM,                           \
      "sent on for the type of a part")                                                           \
    X(PREFILTER_BY_SIGNATURE, "prefilter_by_signature", COUNTER, "messages", SUM,                 \
      "sent on for words of a signature")                                                         \
    X(PREFILTER_BY_ALWAYS, "prefilter_by_always", COUNTER, "messages", SUM,                       \
      "sent on for a signature that may match anything of its kind")                              \
    X(PREFILTER_BY_HASH, "prefilter_by_hash", COUNTER, "messages", SUM,                           \
      "sent on for the hash of a part")                                                           \
    X(PREFILTER_BY_NAME, "prefilter_by_name", COUNTER, "messages", SUM,                           \
      "sent on for the name of a part")                                                           \
    X(PREFILTER_BY_LIMIT, "prefilter_by_limit", COUNTER, "messages", SUM,                         \
      "sent on for a limit of the prefilter")                                                     \
    X(PREFILTER_BYTES, "prefilter_bytes", COUNTER, "bytes", SUM, "bytes searched")                \
    X(CACHE_STORED, "cache_stored", COUNTER, "messages", SUM, "verdicts put into the cache")      \
    /* peers */                                                                                   \
    X(SCAN_JOBS, "scan_jobs", COUNTER, "jobs", SUM, "jobs given to scanners")                     \
    X(SCAN_READINGS, "scan_readings", COUNTER, "jobs", SUM,                                       \
      "of these, on messages of which every reading is scanned")                                  \
    X(SCAN_RETRIES, "scan_retries", COUNTER, "jobs", SUM, "jobs given to a second scanner")       \
    X(SCAN_TIMEOUTS, "scan_timeouts", COUNTER, "jobs", SUM,                                       \
      "jobs over their time; the scanner was killed")                                             \
    X(SCAN_BROKEN, "scan_broken", COUNTER, "jobs", SUM, "answers of scanners that cannot be")     \
    X(HAND_OVER_STALE, "hand_over_stale", COUNTER, "jobs", SUM,                                   \
      "answers for what nobody waits for any more")                                               \
    X(RELAY_JOBS, "relay_jobs", COUNTER, "jobs", SUM, "jobs given to control")                    \
    X(RELAY_WITHDRAWN, "relay_withdrawn", COUNTER, "jobs", SUM,                                   \
      "jobs withdrawn from control: nobody waited for the answer any more")                       \
    X(RELAY_UNHEARD, "relay_unheard", COUNTER, "messages", SUM,                                   \
      "messages delivered though their sender was not told so")                                   \
    X(RELAY_BROKEN, "relay_broken", COUNTER, "jobs", SUM, "answers of control that cannot be")    \
    /* smtp */                                                                                    \
    X(SMTP_COMMANDS, "smtp_commands", COUNTER, "commands", SUM, "commands read")                  \
    X(CUSTOMER_CROWDED, "customer_crowded", COUNTER, "replies", SUM,                              \
      "recipients deferred: their customer holds its share of slots or blocks")                   \
    X(SENDER_CROWDED, "sender_crowded", COUNTER, "replies", SUM,                                  \
      "recipients deferred: their sender holds its share of the slots")                           \
    X(ADMISSION_WAITS, "admission_waits", COUNTER, "messages", SUM,                               \
      "times that a message had to wait for room, before its data or within")                     \
    X(SENDERS_SHED, "senders_shed", COUNTER, "connections", SUM,                                  \
      "connections closed: they were slow while others waited for what they held")                \
    X(SMTP_ROUTE_DOWN, "smtp_route_down", COUNTER, "replies", SUM,                                \
      "recipients deferred: all servers of their customer are away")                              \
    X(SMTP_BAD_COMMANDS, "smtp_bad_commands", COUNTER, "commands", SUM,                           \
      "commands that were refused as such")                                                       \
    X(SMTP_INVALID_RECIPIENTS, "smtp_invalid_recipients", COUNTER, "commands", SUM,               \
      "of those, recipients refused for good")                                                    \
    X(SMTP_HARVESTS_CLOSED, "smtp_harvests_closed", COUNTER, "connections", SUM,                  \
      "connections closed: their client has asked for too many such recipients")                  \
    X(SMTP_FOREIGN_CLOSED, "smtp_foreign_closed", COUNTER, "connections", SUM,                    \
      "connections closed: they spoke HTTP, TLS or another protocol")                             \
    X(SMTP_REPLIES_4XX, "smtp_replies_4xx", COUNTER, "replies", SUM, "temporary refusals")        \
    X(SMTP_REPLIES_5XX, "smtp_replies_5xx", COUNTER, "replies", SUM, "permanent refusals")        \
    X(LOG_LOST, "log_lost", COUNTER, "records", SUM,                                              \
      "log records of messages dropped: their ring was full")                                     \
    X(LOG_REJECTS_LOST, "log_rejects_lost", COUNTER, "records", SUM,                              \
      "log records of refused commands dropped: their ring was full")                             \
    /* gauges */                                                                                  \
    X(HALF_OPEN, "half_open", GAUGE, "connections", SUM, "half-open connections now")             \
    X(CONNECTIONS_OPEN, "connections_open", GAUGE, "connections", SUM, "connections now")         \
    X(TIME_WAIT, "connections_time_wait", GAUGE, "connections", SUM, "of those, in TIME-WAIT")    \
    X(MESSAGES_IN_PROGRESS, "messages_in_progress", GAUGE, "messages", SUM, "messages now")       \
    X(SCANNERS_READY, "scanners_ready", GAUGE, "scanners", LEAST,                                 \
      "scanner children that every worker can give jobs to")                                      \
    X(SCANNERS_CANDIDATE, "scanners_candidate", GAUGE, "scanners", LEAST,                         \
      "scanner children of a candidate, which get no mail")                                       \
    X(PEERS_REFUSED, "peers_refused", GAUGE, "processes", LEAST,                                  \
      "peers that were refused a link, since the dataplane began")                                \
    X(CONTROL_READY, "control_ready", GAUGE, "processes", LEAST,                                  \
      "whether every worker can give jobs to control")                                            \
    X(BLOCKS_FREE, "blocks_free", GAUGE, "blocks", SUM, "blocks of message memory not in use")    \
    X(BLOCKS_TOTAL, "blocks_total", GAUGE, "blocks", SUM, "blocks of message memory")

/* X(NAME, "metric name", "what it measures"): times, counted by how long they were. */
#define HISTOGRAM_LIST(X)                                                             \
    X(VERDICT_TIME, "verdict_time", "from the last byte of a message to its verdict") \
    X(REPLY_TIME, "reply_time", "from the last byte of a message to the reply to it")

/* A scanner child's. Those marked so are counted for it by the dataplane, since it is no more. */
#define SCANNER_COUNTER_LIST(X)                                                                  \
    X(JOBS, "scanner_jobs", COUNTER, "jobs", SUM, "jobs it was given")                           \
    X(CLEAN, "scanner_clean", COUNTER, "jobs", SUM, "jobs that were clean")                      \
    X(INFECTED, "scanner_infected", COUNTER, "jobs", SUM, "jobs in which a signature was found") \
    X(UNSCANNABLE, "scanner_unscannable", COUNTER, "jobs", SUM,                                  \
      "jobs nothing can be said of: a limit, an error, encryption, time")                        \
    X(REFUSED, "scanner_refused", COUNTER, "jobs", SUM,                                          \
      "jobs it could not take: kind, tier, signatures, or a message that cannot be read")        \
    X(LOST, "scanner_lost", COUNTER, "jobs", SUM, "jobs it had when it ended")                   \
    X(TIMEOUTS, "scanner_timeouts", COUNTER, "jobs", SUM,                                        \
      "of the unscannable, those whose time was over")                                           \
    X(BYTES, "scanner_bytes", COUNTER, "bytes", SUM, "bytes of messages scanned")                \
    X(READ, "scanner_read", COUNTER, "jobs", SUM,                                                \
      "jobs in which what mail programs may take out of the message was scanned besides")        \
    X(READ_INFECTED, "scanner_read_infected", COUNTER, "jobs", SUM,                              \
      "of the infected, those in which only that showed it")                                     \
    X(READ_MALFORMED, "scanner_read_malformed", COUNTER, "jobs", SUM,                            \
      "of the unscannable, those with more of it than is looked at")                             \
    X(READINGS, "scanner_readings", COUNTER, "parts", SUM, "byte strings that were scanned so")  \
    X(NAMES_UNKNOWN, "scanner_names_unknown", COUNTER, "jobs", SUM,                              \
      "of the infected, those whose name no signature has")                                      \
    X(CANARIES_LOST, "scanner_canaries_lost", COUNTER, "processes", SUM,                         \
      "engines that know the EICAR test file and did not find it: they get no mail")             \
    X(BUSY_US, "scanner_busy_us", COUNTER, "microseconds", SUM, "time spent on jobs")            \
    X(KILLED, "scanner_killed", COUNTER, "processes", SUM,                                       \
      "times it was killed: over its time, or for what it answered")                             \
    X(RESTARTS, "scanner_restarts", COUNTER, "processes", SUM,                                   \
      "times it came up again, of one parent")                                                   \
    X(AT_WORK, "scanner_at_work", GAUGE, "jobs", SUM, "jobs it is at work on")

/* Control's. */
#define CONTROL_COUNTER_LIST(X)                                                                \
    X(JOBS, "control_jobs", COUNTER, "jobs", SUM, "messages it was given to relay")            \
    X(DELIVERED, "control_delivered", COUNTER, "jobs", SUM, "the customer's server took it")   \
    X(DEFERRED, "control_deferred", COUNTER, "jobs", SUM, "the customer's server said 4xx")    \
    X(REJECTED, "control_rejected", COUNTER, "jobs", SUM, "the customer's server said 5xx")    \
    X(BROKEN_OFF, "control_broken_off", COUNTER, "jobs", SUM,                                  \
      "the connection ended, or its time, before an answer")                                   \
    X(UNREACHABLE, "control_unreachable", COUNTER, "jobs", SUM,                                \
      "no connection to the customer's server in time")                                        \
    X(REFUSED, "control_refused", COUNTER, "jobs", SUM,                                        \
      "not tried, or given up: withdrawn, no route, no time, stopping, or not understood")     \
    X(LOST, "control_lost", COUNTER, "jobs", SUM, "jobs it had when it or its link ended")     \
    X(WITHDRAWN, "control_withdrawn", COUNTER, "jobs", SUM,                                    \
      "jobs that were withdrawn while it had them")                                            \
    X(RETRIED, "control_retried", COUNTER, "jobs", SUM,                                        \
      "times a job went to another connection or server, unheard by the first")                \
    X(IN_DOUBT, "control_in_doubt", COUNTER, "jobs", SUM,                                      \
      "jobs whose data was ended, and whose answer never came")                                \
    X(ABOUT_US, "control_about_us", COUNTER, "jobs", SUM,                                      \
      "jobs deferred since a server wants something of us")                                    \
    X(CONNECTIONS_BEGUN, "control_connections_begun", COUNTER, "connections", SUM,             \
      "connections begun to customers' servers, and those taken over to a new link")           \
    X(CONNECTIONS_OPENED, "control_connections_opened", COUNTER, "connections", SUM,           \
      "connections whose server greeted")                                                      \
    X(CONNECTIONS_REUSED, "control_connections_reused", COUNTER, "jobs", SUM,                  \
      "jobs that went over a connection which was there")                                      \
    X(CONNECTIONS_FAILED, "control_connections_failed", COUNTER, "connections", SUM,           \
      "connections that ended before a greeting")                                              \
    X(CONNECTIONS_CLOSED, "control_connections_closed", COUNTER, "connections", SUM,           \
      "connections that ended after it, or with control's link")                               \
    X(RESTARTS, "control_restarts", COUNTER, "processes", SUM, "times its link came up again") \
    X(IN_HAND, "control_in_hand", GAUGE, "jobs", SUM, "jobs it has now")                       \
    X(CONNECTIONS, "control_connections", GAUGE, "connections", SUM,                           \
      "connections to customers' servers now")

#define SCANNER_HISTOGRAM_LIST(X) X(TIME, "scan_time", "from taking a job to its answer")
#define CONTROL_HISTOGRAM_LIST(X) \
    X(TIME, "relay_time", "from MAIL to the answer of the customer's server")

/* X("what", "names on one side", "names on the other"): equal for each worker, whenever it is
 * between two rounds. A name that ends in * stands for all that begin like it. */
#define COUNTER_SUM_LIST(X)                                                               \
    X("packets", "rx_packets", "pass_full frame_* tcp_in_*")                              \
    X("handshakes", "syn_kept", "half_open half_open_*")                                  \
    X("connections", "connections_opened", "connections_open closed_*")                   \
    X("messages", "message_started",                                                      \
      "messages_in_progress message_delivered message_infected message_unscannable "      \
      "message_relay_* message_no_* message_too_large message_malformed message_cut_off " \
      "message_abandoned")                                                                \
    X("causes", "prefilter_sent_on", "prefilter_by_*")
#define SCANNER_SUM_LIST(X)                                                                 \
    X("scans", "scanner_jobs",                                                              \
      "scanner_at_work scanner_clean scanner_infected scanner_unscannable scanner_refused " \
      "scanner_lost")
#define CONTROL_SUM_LIST(X)                                                  \
    X("relays", "control_jobs",                                              \
      "control_in_hand control_delivered control_deferred control_rejected " \
      "control_broken_off control_unreachable control_refused control_lost") \
    X("customers' connections", "control_connections_begun",                 \
      "control_connections control_connections_failed control_connections_closed")

/* X("what", names of workers' counters, ROW of the others, names there): equal over all processes
 * while nothing is on its way from one to the other. */
#define COUNTER_BOOK_LIST(X)                             \
    X("scans", "scan_jobs", ROW_SCANNER, "scanner_jobs") \
    X("relays", "relay_jobs", ROW_CONTROL, "control_jobs")

#endif
