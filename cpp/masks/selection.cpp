// Exact joint selection: close in on the threshold by counting, then write the masks once.
//
// Each pass streams over scores and masks and counts, in a range of keys known or guessed to
// hold the threshold, how many keys fall into each of 4096 buckets.  The bucket with the
// threshold is the next range.  A sample makes the first range so narrow that one pass is
// nearly always enough: what is left is a bucket of some hundred scores, which the pass that
// writes the masks sets aside and sorts out by score and position.  A bucket that stays large is
// narrowed until it is a single key: ties, of which the first go.
#include "selection.h"

#include <algorithm>

#include "sample.h"
#include "threads.h"

namespace ticket {
namespace {

constexpr int kBuckets = 4096;

// How many undecided scores are put in order rather than counted again: 0.4 % of the weights'
// bytes, but some thousand always and never so many that ordering them takes long.
std::int64_t max_undecided(std::int64_t total) {
  return std::clamp<std::int64_t>(total / 1024, 1024, 16384);
}

struct Threshold {
  Range range;          // the keys among which the last ones to go are
  std::int64_t excess;  // how many of the kept positions inside the range go
  std::int64_t inside;  // of how many
  std::vector<std::int64_t> inside_by_thread;
};

// One counting pass, by one thread into its own rows.
struct Counts {
  std::vector<Tally> tallies;            // one a thread
  std::vector<std::int64_t> histograms;  // kBuckets a thread

  explicit Counts(int threads)
      : tallies(static_cast<std::size_t>(threads)),
        histograms(static_cast<std::size_t>(threads) * kBuckets) {}

  void clear() {
    std::fill(tallies.begin(), tallies.end(), Tally{});
    std::fill(histograms.begin(), histograms.end(), 0);
  }

  std::int64_t* histogram(int thread) { return histograms.data() + thread * kBuckets; }

  std::int64_t in_bucket(int bucket) const {
    std::int64_t sum = 0;
    for (std::size_t at = static_cast<std::size_t>(bucket); at < histograms.size();
         at += kBuckets) {
      sum += histograms[at];
    }
    return sum;
  }

  Tally sum() const {
    Tally sum;
    for (const Tally& tally : tallies) {
      sum.kept += tally.kept;
      sum.below += tally.below;
      sum.inside += tally.inside;
      sum.has_nan |= tally.has_nan;
    }
    return sum;
  }
};

class Selection {
 public:
  Selection(const Kernels& kernels, const std::vector<ScoredSegment>& segments, bool absolute,
            int threads)
      : kernels_(kernels),
        segments_(segments),
        absolute_(absolute),
        total_(total_size(segments)),
        threads_(useful_threads(total_, threads)),
        counts_(threads_) {}

  std::int64_t run(std::int64_t count, Range guess) {
    Range bounds = all_keys(absolute_);  // for sure
    Range range = guess;                 // where to look next
    for (bool first_pass = true;; first_pass = false) {
      const int shift = shift_for(range);
      tally(range, shift);
      const Tally sum = counts_.sum();
      if (first_pass && sum.has_nan) return first_with_nan();
      if (first_pass && sum.kept < count) return kTooFewKept;
      if (count == 0) return kSelected;
      if (count <= sum.below) {  // the guess was too high
        bounds.high = range.low - 1;
        range = bounds;
      } else if (count > sum.below + sum.inside) {  // the guess was too low
        bounds.low = range.high + 1;
        range = bounds;
      } else {
        const Threshold threshold = narrow(range, shift, count - sum.below);
        range = threshold.range;
        if (range.low == range.high) {
          cut_ties(threshold);
          return kSelected;
        }
        if (threshold.inside <= max_undecided(total_)) {
          cut_undecided(threshold);
          return kSelected;
        }
        bounds = range;
      }
    }
  }

 private:
  // The smallest shift with which the range fits the buckets.
  static int shift_for(Range range) {
    const auto width = static_cast<std::uint32_t>(range.high) -
                       static_cast<std::uint32_t>(range.low);
    int shift = 0;
    while ((width >> shift) >= kBuckets) ++shift;
    return shift;
  }

  template <typename Visit>
  void in_parallel(const Visit& visit) const {
    run_threads(threads_, [&](int thread) {
      visit_blocks(segments_, part_begin(total_, thread, threads_),
                   part_begin(total_, thread + 1, threads_),
                   [&](const ScoredSegment& block, std::int64_t first) {
                     visit(thread, block, first);
                   });
    });
  }

  void tally(Range range, int shift) {
    counts_.clear();
    // Equal scores would hit one bucket over and over; a single key needs no histogram.
    const bool single = range.low == range.high;
    in_parallel([&](int thread, const ScoredSegment& block, std::int64_t) {
      kernels_.tally(block.values, block.mask, block.size, absolute_, range, shift,
                     single ? nullptr : counts_.histogram(thread),
                     &counts_.tallies[static_cast<std::size_t>(thread)]);
    });
    for (int thread = 0; single && thread < threads_; ++thread) {
      counts_.histogram(thread)[0] = counts_.tallies[static_cast<std::size_t>(thread)].inside;
    }
  }

  // The bucket that holds the `excess`-th lowest key of the range.
  Threshold narrow(Range range, int shift, std::int64_t excess) {
    int bucket = 0;
    std::int64_t inside = counts_.in_bucket(bucket);
    while (excess > inside) {
      excess -= inside;
      inside = counts_.in_bucket(++bucket);
    }
    // In 64 bits: the bucket's end may lie beyond the largest key.
    const std::int64_t low = range.low + (std::int64_t{bucket} << shift);
    const std::int64_t high =
        std::min<std::int64_t>(range.high, low + (std::int64_t{1} << shift) - 1);
    Threshold threshold{{static_cast<Key>(low), static_cast<Key>(high)}, excess, inside, {}};
    for (int thread = 0; thread < threads_; ++thread) {
      threshold.inside_by_thread.push_back(counts_.histogram(thread)[bucket]);
    }
    return threshold;
  }

  void cut_ties(const Threshold& threshold) const {
    std::vector<std::int64_t> ties;  // that each thread has to clear: the first threads' go first
    std::int64_t left = threshold.excess;
    for (const std::int64_t inside : threshold.inside_by_thread) {
      ties.push_back(std::min(left, inside));
      left -= ties.back();
    }
    in_parallel([&](int thread, const ScoredSegment& block, std::int64_t) {
      std::int64_t& own = ties[static_cast<std::size_t>(thread)];
      own = kernels_.cut_ties(block.values, block.mask, block.size, absolute_,
                              threshold.range.low, own);
    });
  }

  void cut_undecided(const Threshold& threshold) const {
    std::vector<Undecided> undecided(static_cast<std::size_t>(threshold.inside));
    std::vector<Undecided*> next;
    Undecided* at = undecided.data();
    for (const std::int64_t inside : threshold.inside_by_thread) {
      next.push_back(at);
      at += inside;
    }
    in_parallel([&](int thread, const ScoredSegment& block, std::int64_t first) {
      Undecided*& own = next[static_cast<std::size_t>(thread)];
      own += kernels_.cut_below(block.values, block.mask, block.size, absolute_, threshold.range,
                                first, own);
    });
    std::nth_element(undecided.begin(), undecided.begin() + threshold.excess - 1,
                     undecided.end(), [](const Undecided& a, const Undecided& b) {
                       return a.key != b.key ? a.key < b.key : a.position < b.position;
                     });
    for (std::int64_t i = 0; i < threshold.excess; ++i) {
      clear(undecided[static_cast<std::size_t>(i)].position);
    }
  }

  void clear(std::int64_t position) const {
    for (const ScoredSegment& segment : segments_) {
      if (position < segment.size) {
        segment.mask[position] = 0;
        return;
      }
      position -= segment.size;
    }
  }

  std::int64_t first_with_nan() const {
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      const std::vector<ScoredSegment> alone{segments_[i]};
      Tally sum;
      visit_blocks(alone, 0, segments_[i].size, [&](const ScoredSegment& block, std::int64_t) {
        kernels_.tally(block.values, block.mask, block.size, absolute_, Range{0, 0}, 0, nullptr,
                       &sum);
      });
      if (sum.has_nan) return static_cast<std::int64_t>(i);
    }
    return kSelected;  // not reached: a NaN was counted
  }

  const Kernels& kernels_;
  const std::vector<ScoredSegment>& segments_;
  const bool absolute_;
  const std::int64_t total_;
  const int threads_;
  Counts counts_;
};

}  // namespace

std::int64_t select_lowest_near(Range guess, const Kernels& kernels,
                                const std::vector<ScoredSegment>& segments, std::int64_t count,
                                bool absolute, int threads) {
  return Selection(kernels, segments, absolute, threads).run(count, guess);
}

std::int64_t select_lowest(const Kernels& kernels, const std::vector<ScoredSegment>& segments,
                           std::int64_t count, bool absolute, int threads) {
  return select_lowest_near(guess_range(segments, count, absolute), kernels, segments, count,
                            absolute, threads);
}

}  // namespace ticket
