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

    fn element(&self, name: &str, at: u32) -> Option<f64> {
        let list: Object<'_> = self.property(name)?;
        list.get_element(at).ok()
    }

    fn word(&self, name: &str) -> Option<String> {
        self.property(name)
    }

    fn part(&self, name: &str) -> Option<Box<dyn Values + '_>> {
        let part: Object<'_> = self.property(name)?;
        Some(Box::new(Given(part)))
    }
}
