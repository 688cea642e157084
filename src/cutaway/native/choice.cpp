// A token drawn as cutaway.sampling does: the very token, or the answer that it is in doubt.
//
// Every comparison of logits is exact. Weights are not those of numpy to the last bit, so sums of them are compared only
// where they differ by 4 parts in a million, which is four times what both together may be off; nearer than that,
// whoever asks is to draw in the plain way. That is one token in some hundreds.
#include "choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace cutaway {

constexpr double kOff = 4e-6;
constexpr float kWeightless = 87;  // tokens that far below the largest have no weight,
constexpr double kTogether = 1e-30;  // and all of them together less than this
constexpr int kBins = 1024;

namespace {

// A row of logits on the way to a token.
class Draw {
public:
    Draw(const Weighing& by, const float* logits, int n, const Cut& cut) : by_(by), n_(n) {
        const size_t room = (n + 31) / 16 * 16;
        y_.resize(room);
        w_.resize(room);
        places_.resize(room);
        total_ = by.weigh(logits, n, cut.temperature, y_.data(), w_.data(), &largest_);
    }

    bool can_be_drawn() const { return std::isfinite(largest_); }

    double logprob(int token) const { return (double)y_[token] - largest_ - std::log(total_); }

    // Keeps the k largest logits, and any that equal the k-th.
    void keep_largest(int k) {
        for (float depth = 0.5;; depth = depth < 64 ? 2 * depth : std::numeric_limits<float>::infinity()) {
            keep_from(largest_ - depth);
            if (count_ >= k) break;
        }
        order_.clear();
        for (const int token : kept()) order_.push_back({-y_[token], 0});
        std::nth_element(order_.begin(), order_.begin() + (k - 1), order_.end());
        keep_from(-order_[k - 1].first);
        total_ = weight_of_kept();
    }

    // Keeps the smallest set of likely tokens whose probabilities reach `mass`. Returns whether it could tell.
    bool keep_nucleus(double mass) {
        const double allowed = (1 - mass) * total_, doubt = kOff * allowed + 1e-11 * total_;
        // All together, tokens of at most allowed / n are not too many to go.
        keep_from(std::max(least_, largest_ + (float)std::log(0.98 * allowed / n_)));
        double below = pass_over(allowed);
        std::sort(order_.begin(), order_.end());
        for (const auto& [y, w] : order_) {
            if (std::fabs(below - allowed) <= doubt) return false;
            below += w;
            if (below > allowed) {
                keep_from(y);
                return below - allowed > doubt;
            }
        }
        return false;
    }

    // Drops tokens less likely than a fraction of the most likely one. Returns whether it could tell.
    bool drop_unlikely(double fraction) {
        const double doubt = kOff * fraction;
        for (const int token : kept()) {
            if (std::fabs(w_[token] - fraction) <= doubt) return false;
        }
        const auto unlikely = [&](int token) { return w_[token] < fraction; };
        count_ = (int)(std::remove_if(places_.begin(), places_.begin() + count_, unlikely) - places_.begin());
        return true;
    }

    // The token in which a number from (0, 1] falls when the weights of those kept are laid end to end.
    int token_at(double uniform) const {
        const double place = uniform * weight_of_kept(), doubt = kOff * place + kTogether;
        if (place < doubt) return kInDoubt;
        double end = 0;
        for (const int token : kept()) {
            if (end > 0 && std::fabs(end - place) <= doubt) return kInDoubt;
            end += w_[token];
            if (end > place) return end - place > doubt ? token : kInDoubt;
        }
        return kInDoubt;
    }

    void keep_all() { keep_from(largest_ - kWeightless); }

private:
    // Puts the tokens into bins from the least likely on, and into order_ those of the bin at which more than `allowed`
    // is reached. Returns what all tokens below it weigh.
    double pass_over(double allowed) {
        order_.clear();
        double mass[kBins] = {}, below = total_;
        const float scale = kBins / (largest_ - least_);
        const auto bin = [&](int token) {
            return std::isfinite(scale) ? std::min(kBins - 1, (int)((y_[token] - least_) * scale)) : 0;
        };
        for (const int token : kept()) mass[bin(token)] += w_[token];
        for (const double weight : mass) below -= weight;
        int at = 0;
        while (at < kBins - 1 && below + mass[at] <= allowed) below += mass[at++];
        for (const int token : kept()) {
            if (bin(token) == at) order_.push_back({y_[token], w_[token]});
        }
        return below;
    }

    void keep_from(float least) {
        least_ = least;
        count_ = by_.at_least(y_.data(), n_, least, places_.data());
    }

    struct Kept {
        const int32_t *first, *last;
        const int32_t* begin() const { return first; }
        const int32_t* end() const { return last; }
    };

    // The tokens that are still possible, in order.
    Kept kept() const { return {places_.data(), places_.data() + count_}; }

    double weight_of_kept() const {
        double sum = 0;
        for (const int token : kept()) sum += w_[token];
        return sum;
    }

    const Weighing& by_;
    const int n_;
    float largest_ = 0, least_ = -std::numeric_limits<float>::infinity();
    double total_ = 0;
    int count_ = 0;
    // One row after the other is drawn from, so their memory is kept.
    static thread_local std::vector<float> y_, w_;
    static thread_local std::vector<int32_t> places_;
    static thread_local std::vector<std::pair<float, float>> order_;  // y and w
};

thread_local std::vector<float> Draw::y_, Draw::w_;
thread_local std::vector<int32_t> Draw::places_;
thread_local std::vector<std::pair<float, float>> Draw::order_;

}  // namespace

int choose(const Weighing& by, const float* logits, int n, const Cut& cut, double uniform) {
    Draw draw(by, logits, n, cut);
    if (!draw.can_be_drawn()) return kInDoubt;
    if (cut.top_k > 0 && cut.top_k < n) draw.keep_largest(cut.top_k);
    if (cut.top_p < 1) {
        if (!draw.keep_nucleus(cut.top_p)) return kInDoubt;
    } else if (cut.top_k <= 0 || cut.top_k >= n) {
        draw.keep_all();
    }
    if (cut.min_p > 0 && !draw.drop_unlikely(cut.min_p)) return kInDoubt;
    return draw.token_at(uniform);
}

double logprob(const Weighing& by, const float* logits, int n, int token) {
    const Draw draw(by, logits, n, Cut{1, 0, 1, 0});
    return draw.can_be_drawn() ? draw.logprob(token) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace cutaway
