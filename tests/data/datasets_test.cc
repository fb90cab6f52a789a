#include "hesse/data/datasets.h"

#include "hesse/core/parallel.h"
#include "hesse/data/npy.h"
#include "hesse/data/sha256.h"

#include "data/support.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

using namespace hesse;
using namespace hesse::test;

namespace {

/// Sets an environment variable (or unsets it) for the length of a scope.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

/// Whether a fetched set is there to be tested; says so when it is not.
bool have(const std::string& set) {
  for (const SetStatus& status : list_fetched_sets()) {
    if (status.name != set || status.state == SetState::present) continue;
    WARN("left out: the data set " << set << " is not there; fetch it with: " << status.fetch_command);
    return false;
  }
  return true;
}

std::vector<Index> class_sizes(const Dataset& data) {
  std::vector<Index> sizes(static_cast<std::size_t>(data.class_count), 0);
  for (const std::int32_t label : data.labels) ++sizes[static_cast<std::size_t>(label)];
  return sizes;
}

}  // namespace

TEST_CASE("SHA-256 of the examples of FIPS 180-4 and of every length around a block") {
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("the cache is where the first variable that is set says") {
  const Environment a("HESSE_DATA_DIR", "/own");
  const Environment b("XDG_CACHE_HOME", "/xdg");
  const Environment c("HOME", "/home/me");
  CHECK(data_cache_dir() == "/own");
  const Environment d("HESSE_DATA_DIR", "");
  CHECK(data_cache_dir() == "/xdg/hesse/data");
  const Environment e("XDG_CACHE_HOME", nullptr);
  CHECK(data_cache_dir() == "/home/me/.cache/hesse/data");
  const Environment f("HOME", nullptr);
  CHECK(data_cache_dir() == fmt::format("/var/tmp/hesse-{}/data", ::getuid()));
}

TEST_CASE("a missing set names the folder, the set and the command that fetches it, a damaged one is corrupt") {
  const TemporaryFolder folder;
  const std::string cache = folder.path("");
  for (const SetStatus& status : list_fetched_sets(cache)) {
    if (status.name == "fashion-mnist" || status.name == "nist-linear") continue;  // its package may be installed
    CHECK(status.state == SetState::missing);
    CHECK(to_string(status.state) == "missing");
    CHECK(status.bytes == 0);
    CHECK(status.fetch_command == "scripts/fetch_data.sh " + status.name);
    CHECK_FALSE(status.detail.empty());
  }
  CHECK_THROWS_WITH(load_data("digits", {cache}), Catch::Contains("'digits'") && Catch::Contains(cache) &&
                                                      Catch::Contains("scripts/fetch_data.sh digits"));
  std::filesystem::create_directory(folder.path("digits"));
  folder.write("digits/digits.csv.gz", gzip("1,2,0\n"));
  CHECK(verify_fetched_set("digits", cache).state == SetState::corrupt);
  CHECK_THAT(verify_fetched_set("digits", cache).detail,
             Catch::Contains("digits.csv.gz") && Catch::Contains("46abec6b"));
  CHECK(list_fetched_sets(cache)[2].state == SetState::present);
  CHECK_THROWS_WITH(verify_fetched_set("digit", cache), Catch::Contains("did you mean 'digits'"));
}

TEST_CASE("the fetching script pins the same checksums") {
  std::ifstream in(HESSE_FETCH_SCRIPT);
  std::ostringstream text;
  text << in.rdbuf();
  std::size_t pinned = 0;
  for (const FetchedSet& set : fetched_sets()) {
    for (const PinnedFile& file : set.files) {
      ++pinned;
      CHECK_THAT(text.str(), Catch::Contains(fmt::format("\n{} {}/{}\n", file.sha256, set.name, file.name)));
    }
  }
  CHECK(pinned == 52);
}

TEST_CASE("every name and option of the registry builds or refuses in one line") {
  for (const DataEntry& entry : data_sets().entries()) {
    INFO(entry.name);
    CHECK_FALSE(entry.summary.empty());
    CHECK_FALSE(entry.source.empty());
    CHECK_FALSE(entry.options.empty());
  }
  for (const char* name : {"gaussian-blobs", "two-moons", "spirals", "linear-regression", "logistic"}) {
    const DataSplit split = load_data(fmt::format("{}:samples=60,test=15", name));
    CHECK(split.train->sample_count() == 60);
    CHECK(split.test->sample_count() == 15);
    CHECK(split.train->inputs.allFinite());
    CHECK(split.train->name == name);
  }
  CHECK_THROWS_WITH(load_data("two-moon"), Catch::Contains("did you mean 'two-moons'"));
  CHECK_THROWS_WITH(load_data("two-moons:noize=1"), Catch::Contains("did you mean 'noise'"));
  CHECK_THROWS_WITH(load_data("two-moons:noise=-1"), Catch::Contains("out of range"));
  CHECK_THROWS_AS(load_data(""), Error);
  CHECK_THROWS_AS(load_data("file"), Error);
}

TEST_CASE("a data set in use is shared, and one that nobody holds is loaded again") {
  const DataSplit a = load_data("two-moons:samples=30,noise=0.2");
  const DataSplit b = load_data("two-moons:noise=0.2,samples=30");
  CHECK(a.train == b.train);
  CHECK(a.test == b.test);
  CHECK(load_data("two-moons:noise=0.3,samples=30").train != a.train);
  // As inside a problem's specification, where the comma belongs to the problem.
  CHECK(load_data("two-moons:noise=0.2:samples=30").train == a.train);
  CHECK_THROWS_AS(load_data("two-moons:noise=0.2:30"), Error);

  const TemporaryFolder folder;
  const std::string path = folder.write("x.csv", "1,0\n2,1\n3,0\n4,1\n");
  const DataSplit before = load_data(path);
  CHECK(load_data(path).train == before.train);
  folder.write("x.csv", "1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n");
  CHECK(load_data(path).train != before.train);
}

TEST_CASE("a file of any format is told by its content") {
  const TemporaryFolder folder;
  const std::string csv = "1,2,0\n3,4,1\n5,6,0\n7,8,1\n";
  const std::string svm = "0 1:1 2:2\n1 1:3 2:4\n0 1:5 2:6\n1 1:7 2:8\n";
  const auto whole = [](const std::string& path) {
    return load_data("file:standardise=false,test_fraction=0,path=" + path);
  };
  Matrix expected(2, 4);
  expected << 1, 3, 5, 7, 2, 4, 6, 8;
  for (const auto& [name, content] : {std::pair<std::string, std::string>{"a.csv", csv},
                                      {"b", csv},
                                      {"c.csv.gz", gzip(csv)},
                                      {"d.txt", svm},
                                      {"e.libsvm", svm},
                                      {"f", gzip(svm)},
                                      {"g.tsv", "1\t2\t0\n3\t4\t1\n5\t6\t0\n7\t8\t1\n"}}) {
    INFO(name);
    const DataSplit split = whole(folder.write(name, content));
    REQUIRE(split.train->inputs.cols() == 4);
    CHECK(split.train->inputs == expected);
    CHECK(split.train->labels == std::vector<std::int32_t>{0, 1, 0, 1});
    CHECK(split.test == nullptr);
  }
  const std::string images =
      folder.write("my-images-idx3-ubyte", std::string("\0\0\x08\3", 4) + big(2) + big(1) + big(2) + "abcd");
  CHECK(whole(images).train->labels.empty());
  folder.write("my-labels-idx1-ubyte", std::string("\0\0\x08\1", 4) + big(2) + std::string("\1\0", 2));
  const DataSplit both =
      load_data(fmt::format("file:label_kind=classes,standardise=false,test_fraction=0,path={}", images));
  CHECK(both.train->labels == std::vector<std::int32_t>{1, 0});
  CHECK(both.train->inputs(1, 1) == 'd');
  folder.write("my-labels-idx1-ubyte", std::string("\0\0\x08\1", 4) + big(1) + std::string("\1", 1));
  CHECK_THROWS_WITH(load_data(images), Catch::Contains("belong together"));

  const std::string inputs = folder.path("x.npy");
  write_npy(inputs, expected.transpose());
  write_npy(folder.path("y.npy"), as_array(Vector::LinSpaced(4, 0.0, 1.5)));
  const DataSplit npy =
      load_data(fmt::format("file:standardise=false,test_fraction=0,path={},labels={}", inputs, folder.path("y.npy")));
  CHECK(npy.train->inputs == expected);
  CHECK(npy.train->targets(0, 3) == 1.5);
  Matrix bad = expected.transpose();
  bad(2, 1) = std::nan("");
  write_npy(inputs, bad);
  CHECK_THROWS_WITH(load_data(inputs), Catch::Contains("feature 1 of sample 2"));
  write_npy(inputs, Matrix(0, 3));
  CHECK_THROWS_WITH(load_data(inputs), Catch::Contains("0 samples"));
  write_npy(inputs, as_array(Vector::Zero(3)));
  CHECK_THROWS_WITH(load_data(inputs), Catch::Contains("rank 1"));
  CHECK_THROWS_WITH(load_data(folder.path("nothing")), Catch::Contains("cannot be opened"));
}

TEST_CASE("standardisation of a file is fitted to its training samples alone") {
  const TemporaryFolder folder;
  std::string csv;
  for (int i = 0; i < 50; ++i) csv += fmt::format("{},{},{}\n", i * i, 7, i % 2);
  const DataSplit split = load_data(folder.write("x.csv", csv));
  CHECK(split.train->sample_count() == 40);
  CHECK(split.test->sample_count() == 10);
  CHECK(std::abs(split.train->inputs.row(0).mean()) < 1e-14);
  CHECK(std::abs(split.train->inputs.row(0).squaredNorm() / 40 - 1) < 1e-14);
  CHECK(split.train->inputs.row(1).isZero(0));
  CHECK(split.test->inputs.row(1).isZero(0));
  CHECK(std::abs(split.test->inputs.row(0).mean()) > 1e-3);
}

TEST_CASE("digits has 1797 samples of 64 features in 10 classes of known sizes") {
  if (!have("digits")) return;
  CHECK(verify_fetched_set("digits").state == SetState::present);
  const DataSplit split = load_data("digits:test_fraction=0");
  const Dataset& all = *split.train;
  CHECK(all.sample_count() == 1797);
  CHECK(all.feature_count() == 64);
  CHECK(class_sizes(all) == std::vector<Index>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180});
  CHECK(all.inputs.minCoeff() == 0);
  CHECK(all.inputs.maxCoeff() == 1);
  // The sum of all pixels is the whole number 561718 (by awk over the table).
  CHECK(16 * all.inputs.sum() == 561718);
  const DataSplit parts = load_data("digits");
  CHECK(parts.train->sample_count() + parts.test->sample_count() == 1797);
  // A fifth of each class above, rounded.
  CHECK(class_sizes(*parts.test) == std::vector<Index>{36, 36, 35, 37, 36, 36, 36, 36, 35, 36});
}

TEST_CASE("breast-cancer has 569 samples of 30 features, 212 malignant and 357 benign") {
  if (!have("breast-cancer")) return;
  CHECK(verify_fetched_set("breast-cancer").state == SetState::present);
  const DataSplit split = load_data("breast-cancer:test_fraction=0,standardise=false");
  CHECK(split.train->sample_count() == 569);
  CHECK(split.train->feature_count() == 30);
  CHECK(class_sizes(*split.train) == std::vector<Index>{212, 357});
  CHECK(split.train->inputs(0, 0) == 17.99);
  const DataSplit standard = load_data("breast-cancer");
  CHECK(standard.train->inputs.rowwise().mean().cwiseAbs().maxCoeff() < 1e-12);
}

TEST_CASE("Fashion-MNIST and MNIST have their official splits, balanced as published, with the known mean pixels") {
  struct Case {
    const char* name;
    double mean;  // of the training pixels in [0, 1], as the literature gives it
  };
  const auto [name, mean] = GENERATE(values<Case>({{"fashion-mnist", 0.2860}, {"mnist", 0.1307}}));
  if (!have(name)) return;
  CHECK(verify_fetched_set(name).state == SetState::present);
  const DataSplit split = load_data(name);
  CHECK(split.train->sample_count() == 60000);
  CHECK(split.test->sample_count() == 10000);
  CHECK(split.train->feature_count() == 784);
  CHECK(split.train->inputs.minCoeff() == 0);
  CHECK(split.train->inputs.maxCoeff() == 1);
  CHECK(std::abs(split.train->inputs.mean() - mean) < 5e-5);
  if (name == std::string("fashion-mnist")) {
    CHECK(class_sizes(*split.train) == std::vector<Index>(10, 6000));
    CHECK(class_sizes(*split.test) == std::vector<Index>(10, 1000));
  } else {
    CHECK(class_sizes(*split.train) == std::vector<Index>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949});
    CHECK(class_sizes(*split.test) == std::vector<Index>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009});
  }
  const DataSplit few = load_data(fmt::format("{}:samples=100,test=10", name));
  CHECK(few.train->inputs == split.train->inputs.leftCols(100));
  CHECK(few.test->sample_count() == 10);
  CHECK_THROWS_WITH(load_data(fmt::format("{}:samples=60001", name)), Catch::Contains("60001"));
}
