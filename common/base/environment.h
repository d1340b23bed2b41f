// Environment variables read one by one into settings, with one clear complaint about the first
// that cannot be meant. For the start of a program.
#pragma once

#include "common/base/result.h"
#include "common/base/time.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace aquifer {

/// How a variable is read; tests give their own.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;
[[nodiscard]] Environment process_environment();

/// "5s", "1h", "24hrs", "300ms", "90": seconds without a unit. Positive.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);

/// Reads variables and keeps the first complaint: "NAME=VALUE: what to write instead". A variable
/// that is not set leaves its place as it is.
class EnvironmentReader {
 public:
  /// `environment` outlives the reader.
  explicit EnvironmentReader(const Environment& environment) : environment_(environment) {}

  void text(const char* name, std::string& out);
  void boolean(const char* name, bool& out);
  void duration(const char* name, Duration& out);
  void seconds(const char* name, int& out);

  template <typename Number>
  void number(const char* name, Number& out, std::uint64_t least, std::uint64_t most) {
    if (const auto parsed = whole_number(name, least, most)) out = static_cast<Number>(*parsed);
  }

  template <typename Value, std::size_t N>
  void choice(const char* name, Value& out,
              const std::array<std::pair<std::string_view, Value>, N>& words) {
    const auto value = environment_(name);
    if (!value) return;
    const auto found = std::ranges::find(words, *value, &std::pair<std::string_view, Value>::first);
    if (found != words.end()) {
      out = found->second;
      return;
    }
    std::string allowed;
    for (const auto& [word, unused] : words) {
      if (!allowed.empty()) allowed += " or ";
      allowed += word;
    }
    complain(name, *value, "write " + allowed);
  }

  [[nodiscard]] std::optional<std::string> value_of(const char* name) const {
    return environment_(name);
  }
  void complain(const char* name, std::string_view value, std::string_view mend);
  /// Empty when nothing was wrong.
  [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }

 private:
  std::optional<std::uint64_t> whole_number(const char* name, std::uint64_t least,
                                            std::uint64_t most);

  const Environment& environment_;
  std::string complaint_;
};

/// NAME as a number of threads, 0 for all cores, or a share of them such as 50%; without it
/// at least two, and a quarter of a large machine, as the peer's.
[[nodiscard]] std::uint32_t read_worker_count(EnvironmentReader& reader, const char* name);

}  // namespace aquifer
