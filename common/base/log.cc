#include "common/base/log.h"

#include <signal.h>

#include <array>
#include <cstdint>
#include <mutex>

namespace aquifer::log {
namespace {

// How long the end of the process waits for a reader of our output that takes nothing.
constexpr auto kShutdownPatience = std::chrono::seconds(2);
// A process that dies of a signal must die soon: its pods fail closed until it is back.
constexpr auto kFatalPatience = std::chrono::milliseconds(200);

constexpr std::array kFatalSignals = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};

// Never destroyed: threads may log until the very end.
struct State {
  std::mutex mutex;
  std::shared_ptr<const Filter> filter = std::make_shared<const Filter>();
  std::atomic<std::uint64_t> filter_version = 1;
  std::atomic<Format> format = Format::text;
  std::atomic<int> fd = 1;
  Writer writer;
  std::array<struct sigaction, kFatalSignals.size()> signals_before{};
};

State& state() noexcept {
  static State* instance = new State;
  return *instance;
}

// Readers keep the filter they saw and look for a new one only when the version moved, so that
// asking takes no lock.
struct CachedFilter {
  std::uint64_t version = 0;
  std::shared_ptr<const Filter> filter;
};

// Waiting for the writer is all it does, with calls that signal-safety(7) allows. A crash of the
// writer itself costs the patience and no more.
void on_fatal_signal(int number) {
  State& s = state();
  static_cast<void>(s.writer.flush(kFatalPatience));
  for (std::size_t i = 0; i < kFatalSignals.size(); ++i) {
    // Returning runs the faulting instruction again (abort() raises again), now with the handler of
    // before.
    if (kFatalSignals[i] == number) ::sigaction(number, &s.signals_before[i], nullptr);
  }
}

class Line final : public Record {
 public:
  Line(Level level, std::string_view target, std::string message, const Fields& fields)
      : Record(level, target), message_(std::move(message)), fields_(fields) {}

 protected:
  std::string_view message() const override { return message_; }
  void add_fields(Fields& fields) const override { fields = fields_; }

 private:
  std::string message_;
  Fields fields_;
};

}  // namespace

namespace detail {

std::atomic<Level> most = Level::info;

bool enabled_by_filter(Level level, std::string_view target) noexcept {
  thread_local CachedFilter cached;
  State& s = state();
  if (cached.version != s.filter_version.load(std::memory_order_acquire)) {
    // Once per thread and change; the other side holds the lock for one pointer assignment.
    std::lock_guard lock(s.mutex);
    cached = {s.filter_version.load(std::memory_order_relaxed), s.filter};
  }
  return cached.filter->enabled(level, target);
}

void hand_over(std::unique_ptr<Record> record) {
  State& s = state();
  if (s.writer.running()) {
    s.writer.push(std::move(record));
    return;
  }
  std::string out;
  record->render(out, s.format.load(std::memory_order_relaxed));
  static_cast<void>(write_fully(s.fd.load(std::memory_order_relaxed), out));
}

}  // namespace detail

Format format() noexcept {
  return state().format.load(std::memory_order_relaxed);
}

void init(const LogOptions& options) {
  State& s = state();
  s.format.store(options.format);
  s.fd.store(options.fd);
  set_filter(options.filter);
  s.writer.start(
      {.format = options.format, .fd = options.fd, .queue_lines_max = options.queue_lines_max});
  struct sigaction action{};
  action.sa_handler = on_fatal_signal;
  for (std::size_t i = 0; i < kFatalSignals.size(); ++i) {
    ::sigaction(kFatalSignals[i], &action, &s.signals_before[i]);
  }
}

void shutdown() {
  State& s = state();
  if (!s.writer.running()) return;
  s.writer.stop(kShutdownPatience);
  for (std::size_t i = 0; i < kFatalSignals.size(); ++i) {
    ::sigaction(kFatalSignals[i], &s.signals_before[i], nullptr);
  }
}

std::uint64_t dropped_lines() noexcept {
  return state().writer.dropped();
}

Filter filter() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return *s.filter;
}

void set_filter(Filter filter) {
  State& s = state();
  auto shared = std::make_shared<const Filter>(std::move(filter));
  std::lock_guard lock(s.mutex);
  detail::most.store(shared->most());
  s.filter = std::move(shared);
  s.filter_version.fetch_add(1, std::memory_order_release);
}

void line(Level level, std::string_view target, std::string message, const Fields& fields) {
  if (!enabled(level, target)) return;
  detail::hand_over(std::make_unique<Line>(level, target, std::move(message), fields));
}

}  // namespace aquifer::log
