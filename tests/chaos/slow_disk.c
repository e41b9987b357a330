/* Stands before the syncs to disk of a process that is started with it (LD_PRELOAD). The file that ENGAGE_TEST_DISK names says, read anew at each sync, how many ms a
   sync takes longer; or "fails": then it fails, as on a disk that is broken. It must not touch anything else. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int disk_fails(void) {
    char text[16] = "";
    const char *path = getenv("ENGAGE_TEST_DISK");
    FILE *file = path ? fopen(path, "re") : NULL;
    if (!file) return 0;
    char *read = fgets(text, sizeof text, file);
    fclose(file);
    if (!read) return 0;
    if (strncmp(text, "fails", 5) == 0) return 1;
    long ms = strtol(text, NULL, 10);
    struct timespec span = {ms / 1000, (ms % 1000) * 1000000};
    while (ms > 0 && nanosleep(&span, &span) == -1 && errno == EINTR) {}
    return 0;
}

static int pass_on(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (disk_fails()) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int fsync(int fd) { return pass_on("fsync", fd); }
int fdatasync(int fd) { return pass_on("fdatasync", fd); }
