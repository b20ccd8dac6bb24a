/* Loads a binary as Node does, all its symbols at once, and says on which glibc: for those older than any Node here. */
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdio.h>

int main(int count, char **arguments) {
  void *binary = count > 1 ? dlopen(arguments[1], RTLD_NOW) : NULL;
  if (binary == NULL) {
    puts(count > 1 ? dlerror() : "no binary was named");
    return 1;
  }
  if (dlsym(binary, "napi_register_module_v1") == NULL) {
    puts("it does not register with Node");
    return 1;
  }
  puts(gnu_get_libc_version());
  return 0;
}
