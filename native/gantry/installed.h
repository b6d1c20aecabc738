/*
 * Installed pods, as gantry@<name>.service runs them: gantry-pod sandbox|start|stop NAME, and gantry-ended@<name>.service
 * when the last app has ended: gantry-pod ended NAME. When the definition is what it was, none of them runs Node.
 */
#pragma once

/* `arguments` are the words behind the program's name. Returns the exit status; prints. */
int installed_verb(char **arguments);
