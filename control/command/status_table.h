/* status_table.h: a status object as text for a person.
 *
 * Fixed order: the head line, the dataplane, the gauges (what is open, free and ready now), one row
 * a route and a scanner, what control counts, and the counters that are not zero, with a column a
 * worker where there is more than one. Members that this program does not know are shown as well (a
 * newer control may say more), and text from outside is escaped: no control byte reaches the
 * terminal.
 *
 * Threads: any. Limits: STATUS_COLUMNS_MAX columns a table, STATUS_WORKERS_MAX columns of workers
 * (beyond that the sums alone); longer values are cut at STATUS_CELL_BYTES.
 */
#ifndef CONTROL_COMMAND_STATUS_TABLE_H
#define CONTROL_COMMAND_STATUS_TABLE_H

#include <jansson.h>
#include <stdio.h>

#define STATUS_COLUMNS_MAX 24u
#define STATUS_WORKERS_MAX 8u
#define STATUS_CELL_BYTES  64u

void status_table_print(const json_t *object, FILE *to);

#endif
