// Changes on disk: seen, and seen once they are finished.
#include "config/manifests/watcher.h"

#include "config/manifests/limits.h"
#include "tests/unit/config/manifests/temp_dir.h"

#include <doctest/doctest.h>

#include <poll.h>

#include <fstream>

namespace aquifer::manifests {
namespace {

using namespace test;
using std::chrono::milliseconds;

// The watcher's time is ours: nothing has to be waited for but the kernel's own events.
class Watch {
 public:
  explicit Watch(std::filesystem::path path)
      : watcher_(Watcher::open({std::move(path)}, now_).value()) {}

  /// What the kernel reported so far is taken in; inotify reports before the system call that
  /// caused it returns.
  void read() { watcher_.read_events(now_); }
  void pass(milliseconds time) { now_ += time; }
  bool due() { return watcher_.take_due(now_); }
  /// A change that is finished: due after the quiet time, once.
  bool changed() {
    read();
    if (due()) return false;
    pass(kQuietTime);
    return due() && !due();
  }
  /// The same when the watcher may first have to look for directories again, as a loop does at
  /// wake_at().
  bool changed_after_look() {
    read();
    pass(kReappearInterval);
    const bool at_once = due();
    read();
    pass(kQuietTime);
    const bool after_quiet = due();
    return at_once || after_quiet;
  }
  Watcher& watcher() { return watcher_; }
  MonoTime now() const { return now_; }

 private:
  MonoTime now_ = MonoTime() + std::chrono::hours(1);
  Watcher watcher_;
};

TEST_CASE("nothing is due when nothing happened, and nothing is to be waited for") {
  const TempDir dir;
  Watch watch(dir.path());
  watch.read();
  CHECK(watch.watcher().wake_at().is_never());
  CHECK_FALSE(watch.due());
}

TEST_CASE("a file made, written in place, renamed into place or deleted is a change, once") {
  const TempDir dir;
  Watch watch(dir.path());
  dir.write("a.yaml", "a: 1\n");
  CHECK(watch.changed());
  dir.write("a.yaml", "a: 2\n");
  CHECK(watch.changed());
  dir.replace("a.yaml", "a: 3\n");
  CHECK(watch.changed());
  std::filesystem::rename(dir / "a.yaml", dir / "b.yaml");
  CHECK(watch.changed());
  std::filesystem::remove(dir / "b.yaml");
  CHECK(watch.changed());
  watch.read();
  CHECK(watch.watcher().wake_at().is_never());
}

TEST_CASE("the descriptor becomes readable, so that a loop can wait for it") {
  const TempDir dir;
  Watch watch(dir.path());
  pollfd waiting{watch.watcher().fd(), POLLIN, 0};
  CHECK(::poll(&waiting, 1, 0) == 0);
  dir.write("a.yaml", "a: 1\n");
  CHECK(::poll(&waiting, 1, 10'000) == 1);
  watch.read();
  CHECK(::poll(&waiting, 1, 0) == 0);
  CHECK(watch.watcher().wake_at() == Deadline(watch.now() + kQuietTime));
}

TEST_CASE("other files in the directory are no changes") {
  const TempDir dir;
  Watch watch(dir.path());
  dir.write("notes.txt", "x");
  dir.write(".a.yaml.123.tmp", "x");
  dir.write(".hidden.yaml", "x");
  watch.read();
  CHECK(watch.watcher().wake_at().is_never());
}

TEST_CASE("a file that is open for writing is waited for, but not for ever") {
  const TempDir dir;
  Watch watch(dir.path());
  std::ofstream file(dir / "a.yaml");
  file << "half" << std::flush;
  watch.read();
  watch.pass(kQuietTime * 2);
  CHECK_FALSE(watch.due());
  CHECK(watch.watcher().wake_at() > Deadline(watch.now()));
  SUBCASE("closed") {
    file << " whole\n";
    file.close();
    CHECK(watch.changed());
  }
  SUBCASE("never closed") {
    watch.pass(kPatience);
    CHECK(watch.due());
    CHECK_FALSE(watch.due());
  }
}

TEST_CASE("changes one after another are one change, after the last") {
  const TempDir dir;
  Watch watch(dir.path());
  for (int i = 0; i < 10; ++i) {
    dir.write("a.yaml", std::to_string(i));
    watch.read();
    watch.pass(kQuietTime / 2);
    CHECK_FALSE(watch.due());
  }
  watch.pass(kQuietTime / 2);
  CHECK(watch.due());
  CHECK_FALSE(watch.due());
}

TEST_CASE("changes without end are loaded now and then") {
  const TempDir dir;
  Watch watch(dir.path());
  int loads = 0;
  for (milliseconds passed{0}; passed < kPatience * 3; passed += kQuietTime / 2) {
    dir.write("a.yaml", "x");
    watch.read();
    watch.pass(kQuietTime / 2);
    loads += watch.due() ? 1 : 0;
  }
  CHECK(loads >= 2);
  CHECK(loads <= 3);
}

TEST_CASE("a link swapped as Kubernetes swaps ConfigMaps is a change") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "..one");
  std::filesystem::create_directory(dir / "..two");
  std::ofstream(dir / "..one/mesh.yaml") << "1";
  std::ofstream(dir / "..two/mesh.yaml") << "2";
  std::filesystem::create_directory_symlink("..one", dir / "..data");
  std::filesystem::create_symlink("..data/mesh.yaml", dir / "mesh.yaml");
  const auto swap = [&](const char* to) {
    std::filesystem::create_directory_symlink(to, dir / "..data_tmp");
    std::filesystem::rename(dir / "..data_tmp", dir / "..data");
  };
  SUBCASE("of a directory") {
    Watch watch(dir.path());
    swap("..two");
    CHECK(watch.changed_after_look());
    swap("..one");
    CHECK(watch.changed_after_look());
  }
  SUBCASE("of a single file") {
    Watch watch(dir / "mesh.yaml");
    swap("..two");
    CHECK(watch.changed_after_look());
    swap("..one");
    CHECK(watch.changed_after_look());
  }
}

TEST_CASE("a single file is watched by name: written, replaced, deleted and made again") {
  const TempDir dir;
  dir.write("mesh", "1");
  Watch watch(dir / "mesh");
  dir.write("mesh", "2");
  CHECK(watch.changed());
  dir.replace("mesh", "3");
  CHECK(watch.changed_after_look());
  std::filesystem::remove(dir / "mesh");
  CHECK(watch.changed_after_look());
  dir.write("mesh", "4");
  CHECK(watch.changed_after_look());
  dir.write("other.yaml", "x");
  watch.read();
  watch.pass(kPatience);
  CHECK_FALSE(watch.due());
}

TEST_CASE("a single file behind a link is watched where it is") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "real");
  std::ofstream(dir / "real/mesh.yaml") << "1";
  std::filesystem::create_symlink(dir / "real/mesh.yaml", dir / "link.yaml");
  Watch watch(dir / "link.yaml");
  std::ofstream(dir / "real/mesh.yaml") << "2";
  CHECK(watch.changed());
}

TEST_CASE("a directory deleted and made again is found again, with its files watched") {
  const TempDir dir;
  const auto mesh = dir / "mesh";
  std::filesystem::create_directory(mesh);
  Watch watch(mesh);
  std::filesystem::remove_all(mesh);
  CHECK(watch.changed_after_look());
  // Missing: to be looked for.
  CHECK_FALSE(watch.watcher().wake_at().is_never());
  std::filesystem::create_directory(mesh);
  CHECK(watch.changed_after_look());
  std::ofstream(mesh / "a.yaml") << "x";
  CHECK(watch.changed());
}

TEST_CASE("a directory swapped by renames is found again, and the old one no longer counts") {
  const TempDir dir;
  const auto mesh = dir / "mesh";
  std::filesystem::create_directory(mesh);
  std::filesystem::create_directory(dir / "next");
  Watch watch(mesh);
  std::filesystem::rename(mesh, dir / "old");
  std::filesystem::rename(dir / "next", mesh);
  CHECK(watch.changed_after_look());
  std::ofstream(dir / "old/a.yaml") << "x";
  watch.read();
  watch.pass(kPatience);
  CHECK_FALSE(watch.due());
  std::ofstream(mesh / "a.yaml") << "x";
  CHECK(watch.changed());
}

TEST_CASE("a mesh that is not there yet is noticed when it comes, also with its parent") {
  const TempDir dir;
  Watch watch(dir / "a/b/mesh");
  CHECK_FALSE(watch.watcher().wake_at().is_never());
  std::filesystem::create_directories(dir / "a/b/mesh");
  CHECK(watch.changed_after_look());
  std::ofstream(dir / "a/b/mesh/x.yaml") << "x";
  CHECK(watch.changed());
}

}  // namespace
}  // namespace aquifer::manifests
