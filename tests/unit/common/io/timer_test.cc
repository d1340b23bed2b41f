#include "common/io/timer.h"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace aquifer::io {
namespace {

MonoTime at(int tick) {
  return MonoTime{std::chrono::milliseconds(tick)};
}

struct Recorder : Timer {
  Recorder() : Timer(&Recorder::fire) {}
  static void fire(Timer& timer) noexcept { ++static_cast<Recorder&>(timer).fired; }
  int fired = 0;
};

TEST_CASE("any history of arming, moving and disarming fires what a sorted list would") {
  for (const unsigned seed : {1U, 2U, 3U, 4U}) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    TimerQueue queue;
    std::vector<std::unique_ptr<Recorder>> timers;
    std::vector<int> expected(200, 0);
    std::multimap<int, std::size_t> model;
    for (std::size_t i = 0; i < expected.size(); ++i)
      timers.push_back(std::make_unique<Recorder>());
    const auto forget = [&](std::size_t index) {
      std::erase_if(model, [&](const auto& entry) { return entry.second == index; });
    };
    int now = 0;
    for (int step = 0; step < 20'000; ++step) {
      const std::size_t index = random() % timers.size();
      switch (random() % 4) {
        case 0:
        case 1: {
          const int when = now + static_cast<int>(random() % 50) - 5;
          timers[index]->arm(queue, Deadline(at(when)));
          forget(index);
          model.emplace(when, index);
          break;
        }
        case 2:
          timers[index]->disarm();
          forget(index);
          break;
        default:
          now += static_cast<int>(random() % 4);
          queue.expire(at(now));
          while (!model.empty() && model.begin()->first <= now) {
            ++expected[model.begin()->second];
            model.erase(model.begin());
          }
      }
      REQUIRE(queue.size() == model.size());
      REQUIRE(queue.next() == (model.empty() ? MonoTime::max() : at(model.begin()->first)));
      REQUIRE(timers[index]->fired == expected[index]);
    }
    for (std::size_t i = 0; i < timers.size(); ++i) CHECK(timers[i]->fired == expected[i]);
  }
}

struct Logger : Timer {
  Logger(std::vector<int>& l, int n) : Timer(&Logger::fire), log(l), number(n) {}
  static void fire(Timer& timer) noexcept {
    auto& self = static_cast<Logger&>(timer);
    self.log.push_back(self.number);
    if (self.victim != nullptr) self.victim->disarm();
    if (self.queue != nullptr) self.arm(*std::exchange(self.queue, nullptr), self.again);
  }
  std::vector<int>& log;
  int number;
  Timer* victim = nullptr;
  TimerQueue* queue = nullptr;
  Deadline again;
};

TEST_CASE("timers that are due together fire from the earliest to the latest") {
  TimerQueue queue;
  std::vector<int> log;
  std::vector<std::unique_ptr<Logger>> timers;
  for (const int n : {5, 3, 9, 1, 7}) {
    timers.push_back(std::make_unique<Logger>(log, n));
    timers.back()->arm(queue, Deadline(at(n)));
  }
  queue.expire(at(7));
  CHECK(log == std::vector<int>{1, 3, 5, 7});
  CHECK(queue.size() == 1);
}

TEST_CASE("a callback may disarm another timer that is due, and arm itself again") {
  TimerQueue queue;
  std::vector<int> log;
  Logger first(log, 1);
  Logger second(log, 2);
  first.victim = &second;
  first.queue = &queue;
  first.again = Deadline(at(100));
  first.arm(queue, Deadline(at(1)));
  second.arm(queue, Deadline(at(2)));
  queue.expire(at(10));
  CHECK(log == std::vector<int>{1});
  CHECK(first.armed());
  CHECK_FALSE(second.armed());
  queue.expire(at(100));
  CHECK(log == std::vector<int>{1, 1});
}

TEST_CASE("arming with a deadline that never comes disarms") {
  TimerQueue queue;
  Recorder timer;
  timer.arm(queue, Deadline(at(5)));
  timer.arm(queue, Deadline::never());
  CHECK_FALSE(timer.armed());
  CHECK(queue.next() == MonoTime::max());
}

TEST_CASE("a timer that goes out of scope leaves the queue in order") {
  TimerQueue queue;
  Recorder late;
  late.arm(queue, Deadline(at(9)));
  {
    Recorder brief;
    brief.arm(queue, Deadline(at(3)));
    CHECK(queue.next() == at(3));
  }
  CHECK(queue.next() == at(9));
  late.disarm();
}

}  // namespace
}  // namespace aquifer::io
