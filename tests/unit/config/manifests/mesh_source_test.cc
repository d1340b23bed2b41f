// Directories and files: what counts, what is refused, and that a bad state never replaces a good
// one.
#include "config/manifests/mesh_source.h"

#include "config/manifests/limits.h"
#include "tests/unit/config/manifests/fixtures.h"
#include "tests/unit/config/manifests/temp_dir.h"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

namespace aquifer::manifests {
namespace {

using namespace test;

TEST_CASE("a directory's *.yaml and *.yml count, hidden files and others do not") {
  const TempDir dir;
  dir.write("a.yaml", pod_yaml("a", "10.0.0.1"));
  dir.write("b.yml", pod_yaml("b", "10.0.0.2"));
  dir.write(".c.yaml", "not: [yaml");
  dir.write("d.txt", "not: [yaml");
  dir.write("e.yaml.bak", "not: [yaml");
  std::filesystem::create_directory(dir / "sub");
  const auto mesh = load(dir.path());
  REQUIRE(mesh.has_value());
  CHECK(mesh->state.workloads.size() == 2);
  CHECK(mesh->files == 2);
  CHECK(mesh->objects == 2);
  REQUIRE(mesh->warnings.size() == 1);
  CHECK(render(mesh->warnings.front()).contains("/sub: warning: is a subdirectory and NOT read"));
}

TEST_CASE("one file of any name is a mesh") {
  const TempDir dir;
  dir.write("cluster-dump", pod_yaml("a", "10.0.0.1"));
  const auto mesh = load(dir / "cluster-dump");
  REQUIRE(mesh.has_value());
  CHECK(mesh->state.workloads.size() == 1);
}

TEST_CASE("several paths are one mesh, and a file named twice is one file") {
  const TempDir dir;
  dir.write("a.yaml", pod_yaml("a", "10.0.0.1", "labels: {app: a}"));
  const TempDir more;
  more.write("b.yaml", service_yaml("a", "10.96.0.1", "{app: a}", "[{port: 80}]"));
  // Alone, the service would be said to select nothing.
  const CheckedMesh alone = MeshSource({more.path()}, {}).check();
  REQUIRE(alone.findings.diagnostics.size() == 1);
  CHECK_FALSE(alone.refused);
  const CheckedMesh both =
      MeshSource({dir.path(), more.path(), dir / "a.yaml", dir / "../" / dir.path().filename()}, {})
          .check();
  CHECK(render(both.findings.diagnostics) == "");
  CHECK(both.files == 2);
  CHECK(both.objects == 2);
}

TEST_CASE("what loading says of a label and a lint says better is said once") {
  const TempDir dir;
  dir.write("a.yaml", ns_yaml("shop", "{istio.io/use-waypoint: nowhere}"));
  REQUIRE(load(dir.path())->warnings.size() == 1);
  const CheckedMesh mesh = MeshSource({dir.path()}, {}).check();
  REQUIRE(mesh.findings.diagnostics.size() == 1);
  CHECK(mesh.findings.diagnostics.front().severity == Severity::error);
  CHECK_FALSE(mesh.refused);
}

TEST_CASE("a check says what is wrong of a mesh that would be refused, and looks no further") {
  const TempDir dir;
  dir.write("a.yaml", service_yaml("a", "10.96.0.1", "{app: a}", "[{port: 80}]"));
  dir.write("b.yaml", "a: [");
  const CheckedMesh mesh = MeshSource({dir.path()}, {}).check();
  CHECK(mesh.refused);
  REQUIRE(mesh.findings.diagnostics.size() == 1);
  CHECK(mesh.findings.diagnostics.front().text.starts_with("not YAML"));
}

TEST_CASE("a check counts also what it has no place for") {
  const TempDir dir;
  std::string text;
  const std::size_t services = kDiagnosticsMax + 200;
  for (std::size_t i = 0; i < services; ++i) {
    text += service_yaml(fmt::format("s{}", i), fmt::format("10.96.{}.{}", i / 200, 1 + i % 200),
                         "{app: nobody}", "[{port: 80}]");
  }
  dir.write("a.yaml", text);
  const CheckedMesh mesh = MeshSource({dir.path()}, {}).check();
  CHECK(mesh.findings.diagnostics.size() == kDiagnosticsMax);
  CHECK(mesh.findings.warnings == services);
  CHECK(mesh.findings.left_out() == 200);
}

TEST_CASE("what cannot be read is one clear line") {
  const TempDir dir;
  const auto text_of = [](const std::filesystem::path& path) {
    const auto mesh = load(path);
    return mesh ? std::string("loaded") : render(mesh.error());
  };
  CHECK(text_of(dir / "nothing") ==
        (dir / "nothing").string() + ": cannot be read: No such file or directory\n");
  REQUIRE(::mkfifo((dir / "pipe.yaml").c_str(), 0600) == 0);
  CHECK(text_of(dir / "pipe.yaml") == (dir / "pipe.yaml").string() + ": is not a regular file\n");
  std::filesystem::remove(dir / "pipe.yaml");
  std::filesystem::create_directory(dir / "dir.yaml");
  CHECK(text_of(dir.path()) == (dir / "dir.yaml").string() + ": is not a regular file\n");
  std::filesystem::remove(dir / "dir.yaml");
  std::filesystem::create_symlink("nowhere", dir / "link.yaml");
  CHECK(text_of(dir.path()) ==
        (dir / "link.yaml").string() + ": cannot be read: No such file or directory\n");
}

TEST_CASE("an empty directory is an empty mesh, with a warning") {
  const TempDir dir;
  const auto mesh = load(dir.path());
  REQUIRE(mesh.has_value());
  CHECK(mesh->warnings.size() == 1);
}

TEST_CASE("a file longer than the limit is refused before it is read") {
  const TempDir dir;
  dir.write("big.yaml", "");
  std::filesystem::resize_file(dir / "big.yaml", kFileBytesMax + 1);
  const auto mesh = load(dir.path());
  REQUIRE_FALSE(mesh.has_value());
  CHECK(mesh.error()[0].text.contains("at most 16777216 are read"));
}

TEST_CASE("one broken file refuses the whole change; mending it brings the change") {
  const TempDir dir;
  dir.write("a.yaml", pod_yaml("a", "10.0.0.1"));
  MeshSource source({dir.path()}, {});
  REQUIRE(source.load().has_value());
  dir.write("a.yaml", pod_yaml("a", "10.0.0.2"));
  dir.write("b.yaml", "broken: [");
  CHECK_FALSE(source.load().has_value());
  dir.write("b.yaml", pod_yaml("b", "10.0.0.3"));
  const auto mesh = source.load();
  REQUIRE(mesh.has_value());
  CHECK(mesh->state.workloads.size() == 2);
  CHECK(mesh->state.workloads[0]->addresses[0].to_string() == "10.0.0.2");
}

TEST_CASE("a change is seen even when size and time of the file stay as they were") {
  const TempDir dir;
  MeshSource source({dir.path()}, {});
  // Quicker than the clock that stamps files: all within one of its ticks.
  for (int i = 1; i < 200; ++i) {
    dir.write("a.yaml", pod_yaml("a", fmt::format("10.0.0.{:<3}", i)));
    const auto mesh = source.load();
    REQUIRE(mesh.has_value());
    REQUIRE(mesh->state.workloads[0]->addresses[0].to_string() == fmt::format("10.0.0.{}", i));
  }
}

TEST_CASE("warnings of files that did not change are told again") {
  const TempDir dir;
  dir.write("a.yaml", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}\n");
  MeshSource source({dir.path()}, {});
  CHECK(source.load()->warnings.size() == 1);
  CHECK(source.load()->warnings.size() == 1);
}

TEST_CASE("a file emptied, or cut in the middle of a line, is taken for half-written") {
  const TempDir dir;
  dir.write("a.yaml", pod_yaml("a", "10.0.0.1"));
  dir.write("b.yaml", service_yaml("b", "10.96.0.12", "{}", "[{port: 80}]"));
  MeshSource source({dir.path()}, {});
  REQUIRE(source.load().has_value());
  SUBCASE("emptied") {
    dir.write("b.yaml", "");
    const auto mesh = source.load();
    REQUIRE_FALSE(mesh.has_value());
    CHECK(mesh.error()[0].text.contains("half-written?"));
  }
  SUBCASE("cut so that it still is YAML and a service") {
    dir.write("b.yaml",
              "apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec:\n  clusterIP: 10.96.0.1");
    const auto mesh = source.load();
    REQUIRE_FALSE(mesh.has_value());
    CHECK(mesh.error()[0].text.contains("ends in the middle of a line"));
  }
  SUBCASE("deleted: that is meant") {
    std::filesystem::remove(dir / "b.yaml");
    CHECK(source.load().has_value());
  }
  SUBCASE("cut and mended") {
    dir.write("b.yaml", "");
    CHECK_FALSE(source.load().has_value());
    dir.write("b.yaml", "# nothing any more\n");
    CHECK(source.load().has_value());
  }
}

TEST_CASE("a file that never ended with a newline goes on without") {
  const TempDir dir;
  dir.write("a.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: a}}");
  MeshSource source({dir.path()}, {});
  REQUIRE(source.load().has_value());
  dir.write("a.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: b}}");
  CHECK(source.load().has_value());
}

TEST_CASE("several paths make one mesh") {
  const TempDir one;
  const TempDir two;
  one.write("a.yaml", pod_yaml("a", "10.0.0.1"));
  two.write("b.yaml", pod_yaml("b", "10.0.0.2"));
  const auto mesh = MeshSource({one.path(), two / "b.yaml"}, {}).load();
  REQUIRE(mesh.has_value());
  CHECK(mesh->state.workloads.size() == 2);
}

TEST_CASE("reloading touches only the records that changed") {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 100; ++i)
    text += pod_yaml(fmt::format("p{}", i), fmt::format("10.0.1.{}", i));
  dir.write("many.yaml", text);
  dir.write("one.yaml", pod_yaml("one", "10.0.0.1"));
  MeshSource source({dir.path()}, {});
  model::Store store;
  store.replace(source.load()->state);
  dir.write("one.yaml", pod_yaml("one", "10.0.0.2"));
  const auto mesh = source.load();
  const model::Changes changes = model::changes_between(*store.current(), mesh->state);
  CHECK(changes.upserted_workloads.size() == 1);
  CHECK(changes.removed_workloads.empty());
}

}  // namespace
}  // namespace aquifer::manifests
