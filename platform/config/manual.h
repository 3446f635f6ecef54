/* manual.h: postern.yaml(5), made of the schema.
 *
 * platform/postern.yaml.5 is what this writes; a test compares them.
 *
 * Any thread; writes to the caller's stream and leaves its error state to the caller.
 */
#ifndef PLATFORM_CONFIG_MANUAL_H
#define PLATFORM_CONFIG_MANUAL_H

#include <stdio.h>

void config_manual(FILE *to);

#endif
