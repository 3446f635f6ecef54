/* status_table.h: a status object as text for a person.
 *
 * Fixed order: the head line, the dataplane, what is not ready, counters that are not zero, one row
 * a worker, one row a route. Members that this program does not know are shown as well (a newer
 * control may say more), and text from outside is escaped: no control byte reaches the terminal.
 *
 * Threads: any. Limits: STATUS_COLUMNS_MAX columns a table; longer values are cut at
 * STATUS_CELL_BYTES.
 */
#ifndef CONTROL_COMMAND_STATUS_TABLE_H
#define CONTROL_COMMAND_STATUS_TABLE_H

#include <jansson.h>
#include <stdio.h>

#define STATUS_COLUMNS_MAX 24u
#define STATUS_CELL_BYTES  64u

void status_table_print(const json_t *object, FILE *to);

#endif
