/*
 * Installed pods beside gantry-start, which starts them: gantry-pod stop NAME for gantry@<name>.service, gantry-pod ended NAME
 * for gantry-ended@<name>.service when the last app has ended, and gantry-pod refresh NAME for gantry-start when the
 * definition is no longer what it was.
 */
#pragma once

/* `arguments` are the words behind the program's name. Returns the exit status; prints. */
int installed_verb(char **arguments);
