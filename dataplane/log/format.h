/* format.h: a log record as one line of text.
 *
 * Text: "Nov 21 16:07:03 mx1 postern/smtpd[worker0]: 4ABC123: client=192.0.2.1, helo=<...>,
 * from=<...>, to=<...>, nrcpt=1, size=45012, tls=-, delay=0.42, delays=0.05/0.30/0.02/0.05,
 * verdict=clean, sig=-, decided_by=scanner, relay=10.0.0.5[10.0.0.5]:25, dsn=2.0.0, status=sent
 * (250 2.0.0 Ok: queued as 9F)". Of several recipients the others follow in lines of their own, as
 * many in each as fit: "4ABC123: to=<...>, to=<...>, dsn=2.0.0, status=sent (...)". NOQUEUE rejects
 * in Postfix's form
 * ("NOQUEUE: reject: RCPT from [192.0.2.1]: 554 5.7.1 ...; from=<> to=<> helo=<>").
 * JSON: the same record, flat (but for the list of the others, `to` of event "recipients"), `ts` in
 * RFC 3339 UTC. Whatever a peer sent is escaped: no control
 * byte, no forged line.
 *
 * Main thread. No state.
 */
#ifndef DATAPLANE_LOG_FORMAT_H
#define DATAPLANE_LOG_FORMAT_H

#include <stddef.h>

#include "dataplane/log/record.h"
#include "platform/config/config.h"

/* No record makes a longer line in either format, whatever its fields hold. */
#define LOG_LINE_BYTES 16384u

/* Writes the line with its newline into `to` (cut, but always newline-ended, at `size`); returns
 * its length. */
size_t log_format(const struct log_record *record, const char *hostname,
                  enum config_log_format format, char *to, size_t size);

#endif
