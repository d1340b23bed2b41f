#include "common/base/process.h"

#include <doctest/doctest.h>

#include <fstream>
#include <string>

namespace {

/// Resident pages of files, in KiB: code and constants.
long resident_file_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssFile:")) return std::stol(line.substr(8));
  }
  return -1;
}

}  // namespace

TEST_CASE("a program that forgets the code of its start goes on, with less of it resident") {
  const long before = resident_file_kib();
  REQUIRE(before > 0);
  aquifer::forget_code_of_start();
  const long after = resident_file_kib();
  CHECK(after > 0);
  CHECK(after < before);
}
