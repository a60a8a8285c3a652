use crate::crypto::Algorithm;

/// A value for each of a few algorithms, in a small vector.
#[derive(Clone)]
pub(crate) struct PerAlgorithm<T>(Vec<(Algorithm, T)>);

impl<T> PerAlgorithm<T> {
    pub(crate) fn get(&self, wanted: Algorithm) -> Option<&T> {
        self.0.iter().find(|(algorithm, _)| *algorithm == wanted).map(|(_, value)| value)
    }

    /// Replaces the value of an algorithm; `new` receives the old value.
    pub(crate) fn update(&mut self, wanted: Algorithm, new: impl FnOnce(Option<T>) -> T) {
        let place = self.0.iter().position(|(algorithm, _)| *algorithm == wanted);
        let old = place.map(|place| self.0.swap_remove(place).1);
        self.0.push((wanted, new(old)));
    }

    pub(crate) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.0.iter().map(|(algorithm, _)| *algorithm)
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(Algorithm) -> bool) {
        self.0.retain(|(algorithm, _)| keep(*algorithm));
    }

    pub(crate) fn map<U>(self, to: impl Fn(T) -> U) -> PerAlgorithm<U> {
        PerAlgorithm(self.0.into_iter().map(|(algorithm, value)| (algorithm, to(value))).collect())
    }
}

impl<T> Default for PerAlgorithm<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> FromIterator<(Algorithm, T)> for PerAlgorithm<T> {
    /// Each algorithm must occur only once.
    fn from_iter<I: IntoIterator<Item = (Algorithm, T)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}
