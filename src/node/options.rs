//! Options as JavaScript hands them over: an object with a property for each.

use napi::bindgen_prelude::{FromNapiValue, JsObjectValue, Object};
use tokenbed_nn::options::Values;

/// An object whose properties TypeScript has checked.
pub(crate) struct Given<'a>(pub(crate) Object<'a>);

impl Given<'_> {
    fn property<T: FromNapiValue>(&self, name: &str) -> Option<T> {
        self.0.get(name).ok().flatten()
    }
}

impl Values for Given<'_> {
    fn number(&self, name: &str) -> Option<f64> {
        self.property(name)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.property(name)
    }

    fn pair(&self, name: &str) -> Option<[f64; 2]> {
        let pair: Object<'_> = self.property(name)?;
        pair.get_element(0).ok().zip(pair.get_element(1).ok()).map(|(one, other)| [one, other])
    }

    fn part(&self, name: &str) -> Option<Box<dyn Values + '_>> {
        let part: Object<'_> = self.property(name)?;
        Some(Box::new(Given(part)))
    }
}
