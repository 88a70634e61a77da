//! What looks like chance and is none: the same seed draws the same.

/// A source of numbers (`SplitMix64`), and of texts that nobody else plants.
pub(crate) struct Draw {
    state: u64,
    label: String,
    planted: usize,
}

impl Draw {
    /// One whose texts have this label.
    pub(crate) fn new(seed: u64, label: impl Into<String>) -> Self {
        Self { state: seed, label: label.into(), planted: 0 }
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).expect("it is below a usize")
    }

    /// True so many times out of a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these, if there are any.
    pub(crate) fn one<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.below(from.len())].clone()) }
    }

    /// One of these.
    pub(crate) fn of<T, const N: usize>(&mut self, from: [T; N]) -> T {
        from.into_iter().nth(self.below(N)).expect("it is below")
    }

    /// A text to be planted: the scan finds it in whatever it is a part of. It is a slug, too.
    pub(crate) fn plant(&mut self) -> String {
        self.planted += 1;
        format!("planted-{}-{}", self.label, self.planted)
    }

    /// A text that no response may have in it.
    pub(crate) fn secret(&mut self) -> String {
        self.planted += 1;
        format!("secret-{}-{}", self.label, self.planted)
    }
}
