// The log of this process on a pipe, for tests that look at what was logged.
#pragma once

#include "common/base/log.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aquifer {

class CapturedLog {
 public:
  explicit CapturedLog(std::string_view filter, log::Format format = log::Format::text) {
    REQUIRE(::pipe2(ends_, O_CLOEXEC) == 0);
    log::init({.filter = *log::Filter::parse(filter), .format = format, .fd = ends_[1]});
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  ~CapturedLog() {
    if (ends_[1] >= 0) static_cast<void>(lines());
  }

  /// Ends the log and gives its lines, each without its time.
  std::vector<std::string> lines() {
    log::shutdown();
    log::set_filter(log::Filter());
    ::close(std::exchange(ends_[1], -1));
    std::string all;
    char chunk[4096];
    for (ssize_t n; (n = ::read(ends_[0], chunk, sizeof chunk)) > 0;)
      all.append(chunk, static_cast<std::size_t>(n));
    ::close(ends_[0]);
    std::vector<std::string> found;
    for (std::size_t at = 0; at < all.size();) {
      std::size_t end = all.find('\n', at);
      std::string line = all.substr(at, end - at);
      found.push_back(line.starts_with('{') ? line : line.substr(line.find('\t') + 1));
      at = end + 1;
    }
    return found;
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace aquifer
