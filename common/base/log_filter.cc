#include "common/base/log_filter.h"

#include <algorithm>
#include <array>
#include <utility>

namespace aquifer::log {
namespace {

constexpr std::array<std::string_view, 6> kLevelNames = {"off",  "error", "warn",
                                                         "info", "debug", "trace"};
// People write the name of the program they run; the mesh's own name fits both.
constexpr std::array<std::string_view, 3> kProgramNames = {"ztunnel", "waypoint", "aquifer"};
constexpr std::string_view kSeparator = "::";

// Clauses come from a query string or an environment variable; more than this is a mistake.
constexpr std::size_t kClausesMax = 64;

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool is_program_name(std::string_view target) noexcept {
  return std::ranges::find(kProgramNames, target) != kProgramNames.end();
}

std::string_view without_program(std::string_view target) noexcept {
  for (std::string_view name : kProgramNames) {
    if (target.size() > name.size() + kSeparator.size() && target.starts_with(name) &&
        target.substr(name.size()).starts_with(kSeparator)) {
      return target.substr(name.size() + kSeparator.size());
    }
  }
  return target;
}

bool is_target(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
  });
}

bool stands_for(std::string_view clause, std::string_view target) noexcept {
  if (!target.starts_with(clause)) return false;
  std::string_view rest = target.substr(clause.size());
  return rest.empty() || rest.starts_with(kSeparator);
}

bool is_traffic_log(std::string_view target) noexcept {
  return stands_for("access", target) || stands_for("dns", target);
}

}  // namespace

std::string_view name_of(Level level) noexcept {
  return kLevelNames[static_cast<std::size_t>(level)];
}

std::optional<Level> parse_level(std::string_view word) noexcept {
  for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
    if (std::ranges::equal(word, kLevelNames[i], {}, lower)) return static_cast<Level>(i);
  }
  return std::nullopt;
}

std::expected<Filter, std::string> Filter::with(std::string_view text) const {
  Filter result = *this;
  while (!text.empty()) {
    std::size_t comma = text.find(',');
    std::string_view clause = trim(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    if (clause.empty()) continue;

    std::size_t equals = clause.find('=');
    std::optional<Level> level =
        parse_level(equals == std::string_view::npos ? clause : clause.substr(equals + 1));
    if (equals == std::string_view::npos && level) {
      result.default_ = *level;
      continue;
    }
    std::string_view target = clause.substr(0, equals);
    if (equals == std::string_view::npos) level = Level::trace;
    if (!level || !is_target(target)) {
      return std::unexpected("log filter: `" + std::string(clause) +
                             "` is neither LEVEL nor TARGET=LEVEL, where LEVEL is off, error, "
                             "warn, info, debug or trace");
    }
    if (is_program_name(target)) {
      result.program_ = *level;
      continue;
    }
    target = without_program(target);
    auto same = std::ranges::find(result.clauses_, target, &Clause::target);
    if (same != result.clauses_.end()) {
      same->level = *level;
    } else if (result.clauses_.size() == kClausesMax) {
      return std::unexpected("log filter: more than " + std::to_string(kClausesMax) + " targets");
    } else {
      result.clauses_.push_back({std::string(target), *level});
    }
  }
  std::ranges::sort(result.clauses_, [](const Clause& a, const Clause& b) {
    return a.target.size() != b.target.size() ? a.target.size() > b.target.size()
                                              : a.target < b.target;
  });
  return result;
}

bool Filter::enabled(Level level, std::string_view target) const noexcept {
  target = without_program(target);
  for (const Clause& clause : clauses_) {
    if (stands_for(clause.target, target)) return level <= clause.level;
  }
  if (program_ && !is_traffic_log(target)) return level <= *program_;
  return level <= default_;
}

Level Filter::most() const noexcept {
  Level most = std::max(default_, program_.value_or(Level::off));
  for (const Clause& clause : clauses_) most = std::max(most, clause.level);
  return most;
}

std::string Filter::to_string() const {
  std::string text;
  for (const Clause& clause : clauses_) {
    text.append(clause.target).append("=").append(name_of(clause.level)).append(",");
  }
  if (program_) text.append("ztunnel=").append(name_of(*program_)).append(",");
  return text.append(name_of(default_));
}

}  // namespace aquifer::log
