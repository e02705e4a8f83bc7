/* A disk whose sync takes 1 ms: loaded before the C library's own, it waits instead of syncing. */

#include <time.h>

static int wait_1_ms(void) {
  struct timespec left = {.tv_sec = 0, .tv_nsec = 1000000};
  while (nanosleep(&left, &left) != 0) {
  }
  return 0;
}

int fsync(int fd) {
  (void)fd;
  return wait_1_ms();
}

int fdatasync(int fd) {
  (void)fd;
  return wait_1_ms();
}
