// The thread that writes the log. Other threads hand it records, which it formats and writes;
// handing over never waits: no lock, and when the queue is full the new record is dropped and
// counted.
#pragma once

#include "common/base/log_fields.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>

namespace aquifer::log {

/// One event on its way to the writer. What it holds is formatted there, so it must own it.
class Record {
 public:
  /// `target` must live for ever: a literal.
  Record(Level level, std::string_view target) noexcept
      : level_(level), target_(target), time_(std::chrono::system_clock::now()) {}
  Record(const Record&) = delete;
  Record& operator=(const Record&) = delete;
  virtual ~Record() = default;

  void render(std::string& out, Format format) const;

 protected:
  [[nodiscard]] virtual std::string_view message() const = 0;
  virtual void add_fields(Fields& fields) const = 0;

 private:
  friend class Writer;
  Record* next_ = nullptr;
  Level level_;
  std::string_view target_;
  WallTime time_;
};

struct WriterOptions {
  Format format = Format::text;
  int fd = 1;
  /// The peer's number: at 500 bytes a line 5 MB, a second of 10,000 connections.
  std::size_t queue_lines_max = 10'000;
};

/// Bounded queue of many producers and one consumer, and the consumer. start() and stop() belong to
/// one thread; the rest to any.
class Writer {
 public:
  Writer() = default;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { stop(std::chrono::milliseconds(0)); }

  void start(const WriterOptions& options);
  /// Writes what is queued and ends the thread. What the sink has not taken after `patience` is
  /// dropped, so that a stuck reader of our output cannot keep the process alive.
  void stop(std::chrono::milliseconds patience);
  [[nodiscard]] bool running() const noexcept { return running_.load(std::memory_order_acquire); }

  /// Never blocks. False when the record was dropped.
  bool push(std::unique_ptr<Record> record) noexcept;
  /// Waits until everything pushed before is written; false when `patience` ran out. Safe in a
  /// signal handler.
  bool flush(std::chrono::milliseconds patience) noexcept;
  /// Since the start of the process.
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return dropped_.load(std::memory_order_relaxed);
  }

 private:
  void run();
  bool write_batch();
  void report_drops(std::string& out);

  WriterOptions options_;
  std::thread thread_;
  std::atomic<bool> running_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> given_up_ = false;  // the sink takes nothing and the process wants to end

  // A stack that producers push on and the writer takes whole: no slot has to exist before it is
  // used.
  std::atomic<Record*> newest_ = nullptr;
  Record* oldest_ = nullptr;  // the writer's: what it took, in order of pushing
  std::atomic<std::uint64_t> accepted_ = 0;
  std::atomic<std::uint64_t> written_ = 0;
  std::atomic<std::uint64_t> dropped_ = 0;
  std::uint64_t drops_reported_ = 0;

  std::atomic<bool> asleep_ = false;
  std::counting_semaphore<> wake_{0};
};

/// The whole of `bytes` to `fd`, waiting for the sink until `give_up` (may be null) is set. False
/// when it was, or when the sink is gone.
bool write_fully(int fd, std::string_view bytes,
                 const std::atomic<bool>* give_up = nullptr) noexcept;

}  // namespace aquifer::log
