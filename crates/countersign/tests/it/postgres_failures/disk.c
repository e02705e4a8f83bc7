/* A disk that can be full or slow, loaded before the C library's own functions.
   While the file `full` is in the folder $DISK_CONTROL, no file can grow whose path holds $DISK_FULL; while `slow` is, a
   sync of a file whose path holds $DISK_SLOW takes two seconds. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int is_on(const char *name) {
  const char *folder = getenv("DISK_CONTROL");
  char path[PATH_MAX];
  int saved = errno;
  if (folder == NULL) return 0;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int on = access(path, F_OK) == 0;
  errno = saved;
  return on;
}

static int is_ours(int fd, const char *variable) {
  const char *wanted = getenv(variable);
  char link[64], path[PATH_MAX];
  if (wanted == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  return strstr(path, wanted) != NULL;
}

/* Whether there is no room for the file to reach until `end`. */
static int no_room(int fd, off_t end) {
  struct stat file;
  if (!is_on("full") || !is_ours(fd, "DISK_FULL") || fstat(fd, &file) != 0 || end <= file.st_size) return 0;
  errno = ENOSPC;
  return 1;
}

static off_t length_of(const struct iovec *parts, int count) {
  off_t length = 0;
  for (int i = 0; i < count; i++) length += (off_t)parts[i].iov_len;
  return length;
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

ssize_t write(int fd, const void *data, size_t size) {
  static ssize_t (*real)(int, const void *, size_t);
  if (real == NULL) real = next("write");
  if (is_on("full") && no_room(fd, lseek(fd, 0, SEEK_CUR) + (off_t)size)) return -1;
  return real(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
  static ssize_t (*real)(int, const void *, size_t, off_t);
  if (real == NULL) real = next("pwrite64");
  return no_room(fd, at + (off_t)size) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) {
  static ssize_t (*real)(int, const struct iovec *, int, off_t);
  if (real == NULL) real = next("pwritev64");
  return no_room(fd, at + length_of(parts, count)) ? -1 : real(fd, parts, count, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return pwritev64(fd, parts, count, at); }

int posix_fallocate64(int fd, off_t at, off_t size) {
  static int (*real)(int, off_t, off_t);
  if (real == NULL) real = next("posix_fallocate64");
  return no_room(fd, at + size) ? ENOSPC : real(fd, at, size);
}

int posix_fallocate(int fd, off_t at, off_t size) { return posix_fallocate64(fd, at, size); }

static void drag(int fd) {
  for (int i = 0; i < 200 && is_on("slow") && is_ours(fd, "DISK_SLOW"); i++) {
    struct timespec moment = {.tv_sec = 0, .tv_nsec = 10000000};
    nanosleep(&moment, NULL);
  }
}

int fsync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = next("fsync");
  drag(fd);
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = next("fdatasync");
  drag(fd);
  return real(fd);
}
